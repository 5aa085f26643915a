"""The operations beside arithmetic, a family in each module.

Each has its shape rule, derivative, record and function beside each other. The functions are the language of those who
write expressions, and a module's `__all__` names them; the records, in capitals, are what backends go by.
"""

from specnet.compiler.operations.derivatives import *
from specnet.compiler.operations.functions import *
from specnet.compiler.operations.picking import *
from specnet.compiler.operations.pieces import *
from specnet.compiler.operations.products import *
from specnet.compiler.operations.reductions import *
from specnet.compiler.operations.selection import *
