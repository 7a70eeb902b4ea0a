"""The editor's panel as a reader uses it: JupyterLab in a real Chromium, by mouse and by keyboard.

Needs Chromium or Chrome on the PATH, which `make test` installs where it can. Screenshots are kept in tests/output/.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from textedit_lite import data_path

OUTPUT = Path(__file__).resolve().parent / "output"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-proxy-server",
]  # fmt: skip
PATIENCE = 120  # seconds; a kernel that shares its core with others takes a minute to load the models
CELL = "from textedit_lite.widgets import EditorPanel\n\npanel = EditorPanel()\npanel"


# --- the laboratory ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium() -> str:
    """The path of a browser that runs; without one all of this is skipped."""
    paths = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    for path in paths:
        if subprocess.run([path, "--version"], capture_output=True, timeout=60).returncode == 0:
            return path
    pytest.skip("no Chromium on the PATH: `apt-get install chromium`, or Google Chrome, lets these tests run")


@pytest.fixture(scope="module")
def lab(chromium, tmp_path_factory):
    """The address of a notebook with the panel, opened in a JupyterLab of its own."""
    home = tmp_path_factory.mktemp("lab")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (home / "notebooks").mkdir()
    nbformat.write(notebook, home / "notebooks" / "panel.ipynb")
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    folders = {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
               "JUPYTER_RUNTIME_DIR": "runtime", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data"}  # fmt: skip
    environment = os.environ | {name: str(home / folder) for name, folder in folders.items()}
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.root_dir={home / 'notebooks'}",
               "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--IdentityProvider.token={token}"]  # fmt: skip
    with open(home / "log.txt", "wb") as log:
        server = subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=log)
    try:
        address = None
        end = time.monotonic() + PATIENCE
        while address is None:
            assert server.poll() is None and time.monotonic() < end, f"JupyterLab did not start: {(home / 'log.txt').read_text()}"
            for file in (home / "runtime").glob("jpserver-*.json"):
                told = json.loads(file.read_text() or "{}")  # the server says which free port it took
                address = f"http://127.0.0.1:{told['port']}/lab/tree/panel.ipynb?token={token}" if told else None
            time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture(scope="module")
def page(chromium, lab, tmp_path_factory):
    """The notebook in Chromium, run once; the tests below use the one panel after each other, in any order."""
    from playwright.sync_api import sync_playwright

    OUTPUT.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"), executable_path=chromium, headless=True, args=FLAGS,
            viewport={"width": 1500, "height": 1050},
        )  # fmt: skip
        page = context.pages[0] if context.pages else context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.goto(lab)
        page.locator(".jp-Cell .cm-content").first.click()
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").first.wait_for()
        page.keyboard.press("Shift+Enter")
        try:
            page.locator(".textedit-status", has_text="Number 0").wait_for()
        finally:
            shot(page, "1_open")
        yield page
        context.close()


def shot(page, name: str) -> None:
    page.screenshot(path=OUTPUT / f"{name}.png")


class Hands:
    """What a reader's hands and eyes do with the panel."""

    def __init__(self, page):
        self.page = page

    @property
    def status(self) -> str:
        return self.page.locator(".textedit-status").inner_text()

    def says(self, text: str) -> None:
        """Wait until the status says so."""
        try:
            self.page.locator(".textedit-status", has_text=re.compile(text)).wait_for()
        except Exception as error:
            shot(self.page, "failed")
            raise AssertionError(f"the panel did not say {text!r} but {self.status!r}") from error

    def control(self, label: str):
        name = self.page.locator(".widget-label", has_text=re.compile(f"^{re.escape(label)}$"))
        return self.page.locator(".widget-inline-hbox", has=name).first

    def button(self, text: str):
        return self.page.locator("button.jupyter-button", has_text=re.compile(f"^{re.escape(text)}"))

    def picture(self) -> str:
        return self.page.locator("img.widget-image").get_attribute("src")

    def until(self, condition, what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"{what} did not come about in {PATIENCE} s; the panel says {self.status!r}"
            self.page.wait_for_timeout(50)

    def type_prompt(self, text: str) -> None:
        box = self.control("prompt").locator("input")
        box.fill(text)
        box.press("Enter")

    def press_slider(self, label: str, key: str, times: int = 1) -> str:
        """Move a slider by the keyboard; returns what it reads."""
        handle = self.control(label).locator("[role=slider]")
        handle.focus()
        for _ in range(times):
            self.page.keyboard.press(key)
        return self.reading(label)

    def reading(self, label: str) -> str:
        return self.control(label).locator(".widget-readout").inner_text()

    def resting(self, label: str) -> bool:
        """Whether a slider cannot be moved."""
        return self.control(label).locator(".noUi-target[disabled]").count() > 0

    def write_number(self, label: str, number: str) -> None:
        """Write a number where a slider shows it."""
        readout = self.control(label).locator(".widget-readout")
        readout.click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(number)
        self.page.keyboard.press("Enter")


@pytest.fixture
def hands(page):
    """The panel with a picture newly chosen: the street, the first prompt, nothing painted."""
    hands = Hands(page)
    sample = hands.control("sample").locator("select")
    sample.select_option("kitchen")
    hands.until(lambda: "cup" in hands.page.locator(".widget-toggle-buttons").first.inner_text(), "the kitchen")
    sample.select_option("street")
    hands.type_prompt("the left car changes to a red car")
    hands.says("Number 0, the car, shall become a red car")
    return hands


# --- what a reader does ------------------------------------------------------------------------------------------


def test_words_choose_and_errors_are_sentences(hands):
    hands.type_prompt("the bus becomes tilted slightly to the left")
    hands.says("Number 1, the bus, shall become a .*tilted")
    hands.type_prompt("the zebra becomes red")
    hands.says("have never seen .zebra.")
    hands.until(lambda: hands.button("Paint").is_disabled(), "nothing to paint")
    shot(hands.page, "2_error")
    hands.type_prompt("the boat becomes red")
    hands.says("There is no .boat. in the picture")


def test_another_candidate_by_its_number(hands):
    before = hands.picture()
    second = hands.page.locator("button.widget-toggle-button", has_text=re.compile("^2 car"))
    second.focus()
    hands.page.keyboard.press("Space")
    hands.says("Number 2, the car, shall become a red car")
    hands.until(lambda: hands.picture() != before, "another picture")
    shot(hands.page, "3_candidate")


@pytest.mark.parametrize("label", ["threshold", "mask grow", "mask feather", "guidance", "steps", "seed"])
def test_sliders_move_by_the_keyboard(hands, label):
    before, picture = hands.reading(label), hands.picture()
    hands.press_slider(label, "ArrowRight", 3)
    hands.until(lambda: hands.reading(label) != before, f"another {label}")
    if label.startswith("mask"):
        hands.until(lambda: hands.picture() != picture, "the mask")
        shot(hands.page, f"4_{label.replace(' ', '_')}")
    moved = hands.reading(label)
    hands.press_slider(label, "ArrowLeft", 3)
    hands.until(lambda: hands.reading(label) not in (moved,), f"{label} moved back")


def test_painting_comparing_undoing_and_redoing(hands):
    hands.press_slider("seed", "Home")
    original = hands.picture()
    assert hands.resting("wipe") and not hands.resting("seed")  # nothing to compare yet
    hands.button("Paint").focus()
    hands.page.keyboard.press("Enter")
    hands.says("edited: .*red car")
    hands.until(lambda: hands.picture() != original, "the painted picture")
    painted = hands.picture()
    hands.until(lambda: not hands.resting("wipe"), "a wipe that can be moved")
    hands.press_slider("wipe", "PageUp", 2)
    hands.until(lambda: hands.picture() != painted, "the wipe")
    shot(hands.page, "5_painted")
    hands.button("Undo").click()
    hands.says("Number 0, the car, shall become a red car")
    hands.until(lambda: hands.button("Undo").is_disabled() and hands.button("Save").is_disabled(), "nothing to undo or save")
    hands.button("Redo").click()
    hands.says("with seed 0: edited")
    hands.button("Save").click()
    hands.says("Saved: edit.png, edit.mask.png")
    shot(hands.page, "6_saved")


def test_stop_is_heard_while_it_paints(hands):
    hands.type_prompt("the left car changes to a car facing the front")  # from noise: a third of the steps is taken
    hands.says("facing the front")
    hands.write_number("steps", "50")
    hands.until(lambda: hands.reading("steps") == "50", "fifty steps")
    hands.button("Paint").click()
    hands.says(r"Painting, round 1: step \d+ of 17")
    hands.until(
        lambda: hands.button("Paint").is_disabled() and hands.control("prompt").locator("input").is_disabled(),
        "the other controls to rest while it paints",
    )
    shot(hands.page, "7_painting")
    hands.button("Stop").click()
    hands.says("Stopped: the picture is as it was")
    hands.until(
        lambda: hands.button("Stop").is_disabled() and hands.button("Undo").is_disabled() and hands.button("Paint").is_enabled(),
        "a panel that can paint again",
    )
    shot(hands.page, "8_stopped")


def test_an_upload_is_edited(hands):
    with hands.page.expect_file_chooser() as chooser:
        hands.button("Upload a picture").click()
    chooser.value.set_files(data_path("samples", "harbour.png"))
    hands.says("There is no .car. in the picture: it shows airplane, boat")
    hands.until(lambda: hands.control("sample").locator("select").input_value() == "(your own)", "a picture of one's own")
    hands.type_prompt("the left boat becomes blue")
    hands.says("shall become a blue boat")
    hands.button("Paint").click()
    hands.says("edited|unverified")
    shot(hands.page, "9_upload")
    hands.control("sample").locator("select").select_option("street")
    hands.says("There is no .boat. in the picture: it shows bus, car")
    with hands.page.expect_file_chooser() as chooser:  # the same file once more
        hands.button("Upload a picture").click()
    chooser.value.set_files(data_path("samples", "harbour.png"))
    hands.says("shall become a blue boat")


def test_nothing_asks_for_a_scrollbar(hands):
    wider = hands.page.locator(".jp-OutputArea").first.evaluate(
        "area => [...area.querySelectorAll('.widget-box')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.className)"
    )
    assert wider == []


def test_every_control_has_a_name_for_a_screen_reader(hands):
    nameless = hands.page.locator(".jp-OutputArea").first.evaluate(
        """area => [...area.querySelectorAll('input, select, button, [role=slider]')].filter(e => e.offsetParent).filter(e =>
            !(e.innerText || e.title || e.ariaLabel || e.getAttribute('aria-labelledby') || (e.labels && e.labels.length)
              || e.closest('.widget-inline-hbox')?.querySelector('.widget-label')?.innerText)).map(e => e.outerHTML)"""
    )
    assert nameless == []
    assert "number 0 stands out" in hands.page.locator("img.widget-image").get_attribute("title")
