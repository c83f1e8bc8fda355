// A TCP port of 127.0.0.1 that is free at this moment; another process may take it before it is used.
#pragma once

namespace pipekit::test {

int free_port();  // throws std::system_error

}  // namespace pipekit::test
