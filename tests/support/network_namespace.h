// Hosts of the test's own, and the cable between two of them. A host is a network namespace without a name: it exists
// as long as this process has it open or a child is in it, so nothing is left of it however the test ends. It has the
// files of this machine. Needs root and the program ip. Errors are std::runtime_error. One thread.
#pragma once

#include <string>
#include <vector>

#include "shared/unique_fd.h"

namespace pipekit::test {

class NetworkNamespace {
 public:
  // Why there can be none here; empty when there can.
  static std::string missing();

  NetworkNamespace();

  // A command that becomes another in this namespace: ProgramOptions::within.
  [[nodiscard]] std::vector<std::string> enter() const;
  // Commands of `ip -batch`.
  void ip(const std::string& commands) const;
  // For `ip link ... netns PATH`.
  [[nodiscard]] std::string path() const;

 private:
  UniqueFd fd_;
};

// A cable. Each direction can be cut: what is sent that way is lost, and neither end is told, as with a cable behind a
// switch. Both namespaces must outlive it.
class VirtualCable {
 public:
  VirtualCable(const NetworkNamespace& left, const NetworkNamespace& right);

  // The addresses of the ends.
  [[nodiscard]] std::string left() const { return address(1); }
  [[nodiscard]] std::string right() const { return address(2); }
  void cut_to_left() { send_to(right_, 1, false); }
  void cut_to_right() { send_to(left_, 2, false); }
  void cut();
  void heal();

 private:
  [[nodiscard]] std::string address(int end) const;
  [[nodiscard]] std::string device() const;
  // Whether the other side may send to this end.
  void send_to(const NetworkNamespace& from, int end, bool arrives) const;

  const NetworkNamespace& left_;
  const NetworkNamespace& right_;
  int number_;
};

}  // namespace pipekit::test
