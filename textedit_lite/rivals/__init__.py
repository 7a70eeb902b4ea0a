"""Other ways to make the same edit, behind the same call as the editor."""

from .diffedit import diffedit as diffedit
from .diffedit import diffedit_batch as diffedit_batch
from .instruct import instruct_pix2pix as instruct_pix2pix
from .instruct import instruct_pix2pix_batch as instruct_pix2pix_batch
from .plain import plain_edit as plain_edit
from .sdedit import sdedit as sdedit
from .sdedit import sdedit_batch as sdedit_batch
