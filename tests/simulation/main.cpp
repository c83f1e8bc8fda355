// simulation_tests                      run the suites, like any other test program
// simulation_tests --seed N [--trace]   play one history, optionally with its trace
// simulation_tests --seeds N [--first F] [--minutes M]   play many, with a summary: script/simulate
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "tests/simulation/campaign.h"

namespace {

using namespace pipekit::simulation;

int64_t number(const char* text) {
  int64_t value = 0;
  const auto* end = text + std::strlen(text);
  if (std::from_chars(text, end, value).ptr != end) throw std::runtime_error(std::string(text) + " is not a number");
  return value;
}

int run(int argc, char** argv) {
  Campaign campaign;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto value = [&] {
      if (i + 1 == argc) throw std::runtime_error(flag + " needs a value");
      return argv[++i];
    };
    if (flag == "--seed") {
      campaign.first = static_cast<uint64_t>(number(value()));
      campaign.seeds = 1;
    } else if (flag == "--seeds") {
      campaign.seeds = number(value());
    } else if (flag == "--first") {
      campaign.first = static_cast<uint64_t>(number(value()));
    } else if (flag == "--minutes") {
      campaign.minutes = number(value());
    } else if (flag == "--plant") {
      campaign.fault = value();
    } else if (flag == "--trace") {
      campaign.trace = true;
    } else {
      throw std::runtime_error("unknown argument " + flag);
    }
  }
  return campaign.run();
}

}  // namespace

int main(int argc, char** argv) {
  spdlog::set_level(spdlog::level::off);
  const bool plain = argc > 1 && std::strncmp(argv[1], "--gtest", 7) != 0;
  if (!plain) {
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
  }
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\nhint: script/simulate --help\n", error.what());
    return 2;
  }
}
