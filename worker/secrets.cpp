#include "worker/secrets.h"

