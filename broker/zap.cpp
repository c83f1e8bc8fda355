#include "broker/zap.h"

#include <array>
#include <vector>

namespace pipekit {
namespace {

constexpr size_t kKeyBytes = 32;

// version, request id, domain, address, identity, mechanism, credentials
constexpr size_t kParts = 7;

std::string key_in(const std::vector<zmq::message_t>& request) {
  if (request.size() != kParts || request[5].to_string_view() != "CURVE" || request[6].size() != kKeyBytes) return {};
  std::array<char, 41> text{};
  if (zmq_z85_encode(text.data(), request[6].data<uint8_t>(), kKeyBytes) == nullptr) return {};
  return text.data();
}

std::vector<zmq::message_t> take(zmq::socket_t& socket) {
  std::vector<zmq::message_t> parts;
  for (bool more = true; more;) {
    zmq::message_t part;
    if (!socket.recv(part, parts.empty() ? zmq::recv_flags::dontwait : zmq::recv_flags::none)) return parts;
    more = part.more();
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace

ZapSocket::ZapSocket(zmq::context_t& context) : socket_(context, zmq::socket_type::rep) {
  socket_.set(zmq::sockopt::linger, 0);
  socket_.bind("inproc://zeromq.zap.01");
}

int ZapSocket::answer(const std::function<Answer(const std::string&)>& judge) {
  int unknown = 0;
  for (auto request = take(socket_); !request.empty(); request = take(socket_)) {
    const auto key = key_in(request);
    const auto verdict = key.empty() ? Answer::unknown : judge(key);
    const bool allowed = verdict == Answer::allowed;
    unknown += verdict == Answer::unknown ? 1 : 0;
    const auto id = request.size() > 1 ? request[1].to_string() : std::string();
    const std::array<std::string, 6> reply = {"1.0",
                                              id,
                                              allowed ? "200" : (verdict == Answer::too_many ? "300" : "400"),
                                              allowed ? "OK" : "this key is not allowed",
                                              allowed ? key : "",
                                              ""};
    for (size_t i = 0; i < reply.size(); ++i) {
      socket_.send(zmq::buffer(reply[i]), i + 1 < reply.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
  }
  return unknown;
}

}  // namespace pipekit
