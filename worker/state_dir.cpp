#include "worker/state_dir.h"

