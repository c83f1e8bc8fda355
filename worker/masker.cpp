#include "worker/masker.h"

