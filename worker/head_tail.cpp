#include "worker/head_tail.h"

