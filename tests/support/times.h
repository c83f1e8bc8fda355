// Times in tests, as people write them.
#pragma once

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

namespace pipekit::test {

// "2026-03-08T07:00:00Z"; the seconds and the Z may be left out.
inline std::chrono::sys_seconds utc(const std::string& text) {
  int year = 0;
  unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (std::sscanf(text.c_str(), "%d-%u-%uT%u:%u:%u", &year, &month, &day, &hour, &minute, &second) < 5)
    throw std::invalid_argument("not a time: " + text);
  return std::chrono::sys_days{std::chrono::year{year} / month / day} + std::chrono::hours{hour} +
         std::chrono::minutes{minute} + std::chrono::seconds{second};
}

inline std::string text(std::chrono::sys_seconds time) { return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", time); }

inline std::vector<std::string> texts(const std::vector<std::chrono::sys_seconds>& times) {
  std::vector<std::string> all;
  for (const auto time : times) all.push_back(text(time));
  return all;
}

}  // namespace pipekit::test
