"""A device that is not there: tensors that say they lie on a GPU, and compute on the CPU with its rules.

In a `pretended("cuda")` or a `pretended("mps")`, whatever is created on the device or moved to it becomes a tensor that names it
as its device. Its numbers are real, so that everything runs to its end. What a GPU refuses is refused here too: to compute with
tensors of two devices, to draw with another device's generator, to hand its memory to NumPy, and on MPS to hold float64.

To torch's own code such a tensor lies on "meta", as a build for the CPU knows nothing of "cuda" but the name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

aten = torch.ops.aten
MOVES = {"aten::copy_", "aten::_to_copy", "aten::to"}  # from one device to another
INDEXED = {aten.index.Tensor, aten._unsafe_index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
PRODUCTS = {aten.convolution.default, aten.conv2d.default, aten.mm.default, aten.addmm.default, aten.bmm.default, aten.baddbmm.default,
            aten.linear.default, aten.matmul.default, aten.scaled_dot_product_attention.default}
CPU = torch.device("cpu")
LACKING = {"mps": (torch.float64, torch.complex128)}


class Pretended(torch.Tensor):
    """A tensor that names another device; `inner` holds its numbers, on the CPU."""

    @staticmethod
    def __new__(cls, inner: torch.Tensor, named: torch.device | None = None, requires_grad: bool = False):
        if isinstance(inner, Pretended):  # as accelerate makes a parameter
            return inner.detach().requires_grad_(requires_grad)
        if inner.dtype in LACKING.get(named.type, ()):
            raise TypeError(f"Cannot convert a MPS Tensor to {inner.dtype} dtype as the MPS framework doesn't support it.")
        with _disable_current_modes(), torch.inference_mode(False):
            shell = torch.empty_strided(inner.size(), inner.stride(), dtype=inner.dtype, device="meta")
            made = torch.Tensor._make_subclass(cls, shell, False)
        made.inner, made.named = inner, named
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    def __repr__(self, *, tensor_contents=None) -> str:
        return f"Pretended({self.inner}, {self.named})"

    def __deepcopy__(self, memo):
        return Pretended(self.inner.clone(), self.named)

    device = property(lambda self: self.named)
    is_cuda = property(lambda self: self.named.type == "cuda")
    is_mps = property(lambda self: self.named.type == "mps")
    is_meta = is_cpu = False

    def tolist(self):
        return self.inner.tolist()

    def numpy(self, *, force: bool = False):
        raise TypeError(f"can't convert {self.named} device type tensor to numpy. Use Tensor.cpu() first.")

    def __array__(self, *_, **__):
        return self.numpy()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        (one,) = {each.named for each in tree_flatten((args, kwargs or {}))[0] if isinstance(each, Pretended)}
        return computed(one, func, args, kwargs or {})


class Naming(TorchFunctionMode):
    """Gives a device its number, which torch would ask the device's driver for; knows whether a call is about pretended tensors."""

    def __init__(self):
        super().__init__()
        self.inside = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        args, kwargs = [numbered(one) for one in args], {key: numbered(value) for key, value in (kwargs or {}).items()}
        if func is torch.Tensor.__getitem__ and isinstance(args[1], tuple):
            # Torch would make an index of a list on the device of what is indexed, and on "meta" it would have no numbers.
            args[1] = tuple(torch.tensor(one) if isinstance(one, list) else one for one in args[1])
        about = holds_pretended(args) or holds_pretended(kwargs.values())
        self.inside += about
        try:
            return func(*args, **kwargs)
        finally:
            self.inside -= about


def holds_pretended(values: Iterable[Any]) -> bool:
    return any(isinstance(one, Pretended) or isinstance(one, (list, tuple)) and holds_pretended(one) for one in values)


def numbered(value: Any) -> Any:
    if value in ("cuda", "mps") if isinstance(value, str) else isinstance(value, torch.device) and value.type in ("cuda", "mps"):
        return torch.device(torch.device(value).type, 0)
    return value


class Pretending(TorchDispatchMode):
    """Catches what is created on the device, or moved to it."""

    def __init__(self, there: torch.device, calls: Naming):
        super().__init__()
        self.there, self.calls = there, calls

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        # The libraries, too, load their weights by way of "meta"; torch's own code asks for it where it sees a pretended tensor.
        if str(kwargs.get("device")).startswith("meta") and not self.calls.inside:
            return func(*args, **kwargs)
        return computed(self.there, func, args, kwargs)


def computed(there: torch.device, func, args: tuple, kwargs: dict[str, Any]) -> Any:
    """What an operation gives, on the device where it is computed."""
    flat, form = tree_flatten((args, kwargs))
    given = [one for one in flat if isinstance(one, Pretended)]
    if func is aten._has_compatible_shallow_copy_type.default:
        return False
    asked = next((one for one in flat if isinstance(one, torch.device)), None)
    if asked is not None:
        where = CPU if asked.type == "cpu" else there
    elif func is aten.copy_.default:
        where = args[0].device
    else:
        where = there if given else CPU
    if where == CPU and not given:
        return func(*args, **kwargs)
    if given and func._schema.name not in MOVES:
        agree(func, args, flat)
    generator = kwargs.get("generator")
    if generator is not None and where != CPU:
        raise RuntimeError(f"Expected a '{where.type}' device type for generator but found '{generator.device.type}'")
    flat = [one.inner if isinstance(one, Pretended) else CPU if isinstance(one, torch.device) else one for one in flat]
    owners = {id(one.inner): one for one in given}
    plain, named = tree_unflatten(flat, form)
    if "pin_memory" in named:
        named["pin_memory"] = False
    if func in PRODUCTS and {one.dtype for one in flat if isinstance(one, torch.Tensor)} == {torch.float16}:
        # A processor takes long for them; in float32 and rounded, they are as good.
        plain = tree_map(lambda one: one.float() if isinstance(one, torch.Tensor) else one, plain)
        result = tree_map(lambda one: one.half() if isinstance(one, torch.Tensor) else one, func(*plain, **named))
    else:
        result = func(*plain, **named)

    def wrapped(one):
        if not isinstance(one, torch.Tensor) or where == CPU:
            return one
        return owners.get(id(one)) if id(one) in owners else Pretended(one, where)

    return tree_map(wrapped, result)


def agree(func, args, flat) -> None:
    """Raises RuntimeError where tensors of two devices meet, unless one of them is a single number, or an index, on the CPU."""
    if func in INDEXED:
        if not isinstance(args[0], Pretended) and any(one.dim() for one in tree_flatten(args[1])[0] if isinstance(one, Pretended)):
            raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
        flat = [args[0], *args[2:]]
    apart = {one.device for one in flat if isinstance(one, torch.Tensor) and (one.dim() or isinstance(one, Pretended))}
    if len(apart) > 1:
        names = " and ".join(sorted(map(str, apart)))
        raise RuntimeError(f"Expected all tensors to be on the same device, but found at least two devices, {names}, in {func}")


@contextlib.contextmanager
def pretended(kind: str) -> Iterator[torch.device]:
    """While it lasts, torch takes the CPU for a device of this kind ("cuda", "mps") wherever that is asked for."""
    from unittest import mock

    there = torch.device(kind, 0)
    lift, overwrite = torch._C._only_lift_cpu_tensors(), torch.__future__.get_overwrite_module_params_on_conversion()
    torch._C._set_only_lift_cpu_tensors(True)
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with mock.patch.object(torch.cuda, "_lazy_init", lambda: None), Naming() as calls, Pretending(there, calls):
            yield there
    finally:
        torch._C._set_only_lift_cpu_tensors(lift)
        torch.__future__.set_overwrite_module_params_on_conversion(overwrite)
