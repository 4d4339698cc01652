/* The kit's source as one unit, so that a build names one file and the compiler sees all of it. */
#include "polyfold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "source/host.h"

#include "source/memory.c"
#include "source/format.c"
#include "source/text.c"
#include "source/read.c"
#include "source/write.c"
#include "source/struct.c"
#include "source/json.c"
#include "source/state.c"
#include "source/event.c"
#include "source/keyed.c"
#include "source/fields.c"
#include "source/plugin.c"
