"""What happens to columns before the network sees them, fitted on training rows and kept with the model.

In: columns (rows, columns), texts as places in their distinct ones. Out: the step with its sizes, and arrays by name;
then prepared columns, of arrays or symbolic values alike (`operations`). Start with `Preprocessing` in `base`; then
`missing` (what stands for a missing cell), `scaling`, `curve_steps`, `dates`, and `categories`, which codes texts.
Every module of this package is taken whole, so that a new step is written in one of them and nowhere else.
"""

from specnet.parts.preprocessing.base import NUMBERS as NUMBERS
from specnet.parts.preprocessing.base import Fitted as Fitted
from specnet.parts.preprocessing.base import Preprocessing as Preprocessing
from specnet.parts.preprocessing.base import Texts as Texts
from specnet.parts.preprocessing.base import prepared_size as prepared_size
from specnet.parts.preprocessing.base import raw_size as raw_size
from specnet.parts.preprocessing.categories import *
from specnet.parts.preprocessing.curve_steps import *
from specnet.parts.preprocessing.dates import *
from specnet.parts.preprocessing.missing import *
from specnet.parts.preprocessing.scaling import *
