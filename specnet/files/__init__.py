"""Untrusted files: read within size limits, written atomically, locked by one process at a time.

These modules take and return bytes and paths as the user named them; every failure is a `FileError`. They do not
depend on specs. Start with `atomic` (read and write), `locks` (one run per folder) and `tensors` (arrays in a
safetensors file). `plain_data` validates data from files, and writes JSON and TOML. `interruptions` delays signals
until a file is complete; `large` stores arrays in temporary files.
"""

from specnet.files.atomic import TEMPORARY_PREFIX as TEMPORARY_PREFIX
from specnet.files.atomic import PathLike as PathLike
from specnet.files.atomic import check_path as check_path
from specnet.files.atomic import file_errors as file_errors
from specnet.files.atomic import is_temporary as is_temporary
from specnet.files.atomic import open_file as open_file
from specnet.files.atomic import read_file as read_file
from specnet.files.atomic import refuse_inputs as refuse_inputs
from specnet.files.atomic import refuse_link as refuse_link
from specnet.files.atomic import refuse_taken as refuse_taken
from specnet.files.atomic import remove_temporary_files as remove_temporary_files
from specnet.files.atomic import write_file as write_file
from specnet.files.atomic import write_files as write_files
