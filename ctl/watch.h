// What `run --watch` and `run-group --watch` show of the events of a run or a group run: a live line with the step, the
// rows and the time on a terminal, plain lines in a pipe, only the events for programs; with --quiet only the end.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "ctl/follow.h"

namespace pipekit::ctl {

class RunWatch final : public Observer {
 public:
  RunWatch(Context& context, int64_t run_id, std::string module);
  std::optional<int> observe(const Event& event) override;
  void tick(WallTime now) override;
  [[nodiscard]] bool has_outcome() const override { return true; }
  void make_room() override { line_.erase(); }
  void interrupted() override;

 private:
  void repaint(WallTime now);
  void show(const Event& event);

  Context& context_;
  int64_t run_id_;
  std::string module_;
  LiveLine line_;
  std::string step_ = "queued";
  std::string worker_;
  std::optional<int64_t> rows_;
  std::string unfinished_;  // what a progress bar shows
  std::optional<WallTime> began_;
};

class GroupWatch final : public Observer {
 public:
  GroupWatch(Context& context, int64_t group_run_id, std::string group);
  std::optional<int> observe(const Event& event) override;
  void tick(WallTime now) override;
  [[nodiscard]] bool has_outcome() const override { return true; }
  void make_room() override { line_.erase(); }
  void interrupted() override;

 private:
  struct Member {
    std::string module;
    std::string step = "queued";
    WallTime began{};
  };
  void note(const Event& event);
  void finish_member(const Event& event);
  void show_failed_member(const Event& event);  // all that --quiet shows of members

  Context& context_;
  int64_t group_run_id_;
  std::string group_;
  LiveLine line_;
  std::map<int64_t, Member> live_;  // by run
  int64_t ended_ = 0;
};

// 0 for success and dry_run, 4 otherwise.
int exit_code_of_run(std::string_view status);

// "✔ orders  1,234 rows  3.2s", "✗ orders  error: ...".
std::string run_end_line(const Event& finished, std::optional<WallTime> began, const Style& style);

}  // namespace pipekit::ctl
