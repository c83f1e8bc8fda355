#include "broker/read_thread.h"

#include <deque>
#include <stdexcept>
#include <vector>

#include "broker/answer.h"
#include "broker/queries.h"

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

// A job is {peer, head, body, [live, wall_ms]}; one part alone ends the thread.
ReadJob job_from(const Parts& parts) {
  auto request = decode_client_to_broker(parts[1], parts[2]);
  if (!request)
    throw std::logic_error("the read thread was given what the broker did not read: " + request.error().message);
  auto more = Json::from_msgpack(parts[3]);
  return {parts[0], std::move(*request), std::move(more[0]), more[1].get<int64_t>()};
}

bool is_tail(const ReadJob& job) { return std::holds_alternative<TailRequest>(job.request); }

// A peer's tail replaces the one before it, here as where tails are parked: one that asks without reading gets one
// answer, and nobody waits for the others.
void add(std::deque<ReadJob>& waiting, ReadJob job) {
  if (is_tail(job)) {
    std::erase_if(waiting, [&](const ReadJob& other) { return other.peer == job.peer && is_tail(other); });
  }
  waiting.push_back(std::move(job));
}

void serve(zmq::socket_t& socket, const std::filesystem::path& store) {
  store::Database db(store, store::Database::Mode::read_only);
  std::deque<ReadJob> waiting;
  for (;;) {
    const auto block = waiting.empty() ? zmq::recv_flags::none : zmq::recv_flags::dontwait;
    for (auto parts = receive(socket, block); parts; parts = receive(socket, zmq::recv_flags::dontwait)) {
      if (parts->size() != 4) return;
      add(waiting, job_from(*parts));
    }
    const auto job = std::move(waiting.front());
    waiting.pop_front();
    const auto frames = encode_answer(queries::answer(db, job), false);
    send(socket, {job.peer, frames.head, frames.body});
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
  socket_.set(zmq::sockopt::sndhwm, 0);  // bounded by the clients: each waits for its answer
  socket_.bind(kEndpoint);
  thread_ = std::thread([&context, store = std::move(store)] { run(context, store); });
}

ReadThread::~ReadThread() {
  send(socket_, {""});
  thread_.join();
}

void ReadThread::submit(const ReadJob& job) {
  const auto frames = encode(job.request);
  const auto live = Json::to_msgpack(Json::array({job.live, job.wall_ms}));
  send(socket_, {job.peer, frames.head, frames.body, std::string(live.begin(), live.end())});
}

std::optional<ReadThread::Answer> ReadThread::try_receive() {
  auto parts = receive(socket_, zmq::recv_flags::dontwait);
  if (!parts) return std::nullopt;
  if (parts->size() != 3) throw std::runtime_error("read thread: " + parts->front());
  return Answer{(*parts)[0], {(*parts)[1], (*parts)[2]}};
}

}  // namespace pipekit
