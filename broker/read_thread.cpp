#include "broker/read_thread.h"

#include <fmt/format.h>

#include <stdexcept>
#include <vector>

#include "broker/answer.h"
#include "broker/queries.h"
#include "broker/read_queue.h"

namespace pipekit {
namespace {

constexpr auto kEndpoint = "inproc://read-thread";

using Parts = std::vector<std::string>;

void send(zmq::socket_t& socket, const Parts& parts) {
  for (size_t i = 0; i < parts.size(); ++i) {
    socket.send(zmq::buffer(parts[i]), i + 1 < parts.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
  }
}

std::optional<Parts> receive(zmq::socket_t& socket, zmq::recv_flags flags) {
  Parts parts;
  for (bool more = true; more;) {
    zmq::message_t part;
    if (!socket.recv(part, parts.empty() ? flags : zmq::recv_flags::none)) return std::nullopt;
    more = part.more();
    parts.push_back(part.to_string());
  }
  return parts;
}

// A job is {peer, head, body, [live, wall_ms, who]}; one part alone ends the thread.
ReadJob job_from(const Parts& parts) {
  auto request = decode_client_to_broker(parts[1], parts[2]);
  if (!request)
    throw std::logic_error("the read thread was given what the broker did not read: " + request.error().message);
  auto more = Json::from_msgpack(parts[3]);
  return {parts[0], std::move(*request), std::move(more[0]), more[1].get<int64_t>(), more[2].get<std::string>()};
}

int64_t number_of(const ReadJob& job) {
  return std::visit([](const auto& request) { return request.number; }, job.request);
}

Reply too_many(const ReadJob& job) {
  return {number_of(job),
          WireError{std::string(to_string(ErrorCode::kOverloaded)),
                    fmt::format("{} questions of this client wait for their answers already", ReadQueue::kMostOfOne),
                    "wait for some of them"},
          {{"retry_after_ms", 1000}}};
}

void serve(zmq::socket_t& socket, const std::filesystem::path& store) {
  store::Database db(store, store::Database::Mode::read_only);
  ReadQueue waiting;
  for (;;) {
    const auto block = waiting.empty() ? zmq::recv_flags::none : zmq::recv_flags::dontwait;
    for (auto parts = receive(socket, block); parts; parts = receive(socket, zmq::recv_flags::dontwait)) {
      if (parts->size() != 4) return;
      auto job = job_from(*parts);
      if (waiting.has_room_for(job)) {
        waiting.add(std::move(job));
        continue;
      }
      const auto refusal = encode(BrokerToClient{too_many(job)});
      send(socket, {job.peer, refusal.head, refusal.body, job.who});
    }
    const auto job = waiting.next();
    if (!job) continue;
    const auto frames = encode_answer(queries::answer(db, *job), false);
    send(socket, {job->peer, frames.head, frames.body, ""});
  }
}

void run(zmq::context_t& context, const std::filesystem::path& store) {
  zmq::socket_t socket(context, zmq::socket_type::pair);
  socket.connect(kEndpoint);
  try {
    serve(socket, store);
  } catch (const std::exception& error) {
    send(socket, {error.what()});  // one part: the loop throws it
    // A peer until told to end: without one the loop's next send would block for ever.
    while (const auto parts = receive(socket, zmq::recv_flags::none)) {
      if (parts->size() == 1) break;
    }
  }
}

}  // namespace

ReadThread::ReadThread(zmq::context_t& context, std::filesystem::path store)
    : socket_(context, zmq::socket_type::pair) {
  socket_.set(zmq::sockopt::linger, 0);
  socket_.set(zmq::sockopt::sndhwm, 0);  // what may come is bounded by PeerLimits, what waits by ReadQueue
  socket_.bind(kEndpoint);
  thread_ = std::thread([&context, store = std::move(store)] { run(context, store); });
}

ReadThread::~ReadThread() {
  send(socket_, {""});
  thread_.join();
}

void ReadThread::submit(const ReadJob& job) {
  const auto frames = encode(job.request);
  const auto live = Json::to_msgpack(Json::array({job.live, job.wall_ms, job.who}));
  send(socket_, {job.peer, frames.head, frames.body, std::string(live.begin(), live.end())});
}

std::optional<ReadThread::Answer> ReadThread::try_receive() {
  auto parts = receive(socket_, zmq::recv_flags::dontwait);
  if (!parts) return std::nullopt;
  if (parts->size() != 4) throw std::runtime_error("read thread: " + parts->front());
  return Answer{(*parts)[0], {(*parts)[1], (*parts)[2]}, (*parts)[3]};
}

}  // namespace pipekit
