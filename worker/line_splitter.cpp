#include "worker/line_splitter.h"

