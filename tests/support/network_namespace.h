// Simulated hosts, and the cable between two of them. A host is a network namespace without a name: it exists as long
// as this process has it open or a child is in it, so nothing is left however the test ends. It has the files of this
// machine. Needs root and the program ip. Errors are std::runtime_error. One thread.
#pragma once

#include <string>
#include <vector>

#include "shared/unique_fd.h"

namespace pipekit::test {

class NetworkNamespace {
 public:
  // Why namespaces are not available here; empty if they are.
  static std::string missing();

  NetworkNamespace();

  // A command prefix that runs a program in this namespace: ProgramOptions::within.
  [[nodiscard]] std::vector<std::string> enter() const;
  // Commands of `ip -batch`.
  void ip(const std::string& commands) const;
  // For `ip link ... netns PATH`.
  [[nodiscard]] std::string path() const;

 private:
  UniqueFd fd_;
};

// A cable. Each direction can be cut: packets sent that way are lost, and neither end notices, as with a cable behind a
// switch. Both namespaces must outlive it.
class VirtualCable {
 public:
  VirtualCable(const NetworkNamespace& left, const NetworkNamespace& right);

  // The addresses of its ends.
  [[nodiscard]] std::string left() const { return address(1); }
  [[nodiscard]] std::string right() const { return address(2); }
  void cut_to_left() { send_to(right_, 1, false); }
  void cut_to_right() { send_to(left_, 2, false); }
  void cut();
  void heal();

 private:
  [[nodiscard]] std::string address(int end) const;
  [[nodiscard]] std::string device() const;
  // Whether this end can receive from the other side.
  void send_to(const NetworkNamespace& from, int end, bool arrives) const;

  const NetworkNamespace& left_;
  const NetworkNamespace& right_;
  int number_;
};

}  // namespace pipekit::test
