#include "broker/read_thread.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <variant>

#include "broker/answer.h"
#include "broker/read_answer.h"
#include "broker/read_queue.h"
#include "shared/overload.h"

namespace pipekit {
namespace {

constexpr auto kEndpoint = "inproc://read-thread";
constexpr size_t kLarge = size_t{1} << 20U;  // of a request or an answer: what it took is given back to the system

struct Stop {};
struct Abandon {
  int64_t id;
};
using ToThread = std::variant<ReadJob, Abandon, std::unique_ptr<CheckedDocument>, Stop>;
using Answer = ReadThread::Answer;

template <class T>
void give(zmq::socket_t& socket, T message) {
  const auto* pointer = new T(std::move(message));  // take() owns it
  socket.send(zmq::buffer(&pointer, sizeof pointer), zmq::send_flags::none);
}

template <class T>
std::unique_ptr<T> take(zmq::socket_t& socket, zmq::recv_flags flags) {
  zmq::message_t message;
  if (!socket.recv(message, flags)) return nullptr;
  T* pointer = nullptr;
  std::memcpy(static_cast<void*>(&pointer), message.data(), sizeof pointer);
  return std::unique_ptr<T>(pointer);
}

int64_t number_of(const ReadJob& job) {
  if (!job.frames.body.empty()) return head_of_request(job.frames.body).number;
  return std::visit([](const auto& request) { return request.number; }, job.request);
}

Reply too_many(const ReadJob& job) {
  return {number_of(job),
          WireError{std::string(to_string(ErrorCode::kOverloaded)),
                    fmt::format("{} requests of this client wait for their answers already", ReadQueue::kMostOfOne),
                    "wait for some of them"},
          {{"retry_after_ms", 1000}}};
}

class Server {
 public:
  Server(zmq::socket_t& socket, const std::filesystem::path& store, const std::atomic<int64_t>& abandoned)
      : socket_(socket), db_(store, store::Database::Mode::read_only), abandoned_(abandoned) {}

  void serve() {
    while (!stopped_) {
      const auto block = waiting_.empty() ? zmq::recv_flags::none : zmq::recv_flags::dontwait;
      for (auto message = take<ToThread>(socket_, block); message && !stopped_;
           message = take<ToThread>(socket_, zmq::recv_flags::dontwait)) {
        std::visit([&](auto& m) { on(std::move(m)); }, *message);
      }
      if (auto job = waiting_.next(); job && !stopped_) work(std::move(*job));
    }
  }

 private:
  void on(ReadJob job) {
    if (waiting_.has_room_for(job)) return waiting_.add(std::move(job));
    give(socket_, Answer{job.id, job.peer, encode(BrokerToClient{too_many(job)}), job.who});
  }
  void on(Abandon abandon) { waiting_.drop(abandon.id); }
  static void on(std::unique_ptr<CheckedDocument> spent) {
    spent.reset();
    ::malloc_trim(0);
  }
  void on(Stop) { stopped_ = true; }

  void work(ReadJob job) {
    const TimeBudget budget(kReadBudget, &abandoned_, job.id == 0 ? -1 : job.id);
    Answer answer;
    answer.id = job.id;
    answer.peer = job.peer;
    auto bytes = job.frames.body.size();
    auto outcome = answer_read(db_, std::move(job), budget);
    if (auto* checked = std::get_if<std::unique_ptr<CheckedDocument>>(&outcome)) {
      answer.checked = std::move(*checked);
      bytes = 0;  // it is given back when the document is discarded
    } else {
      answer.frames = encode_answer(std::get<BrokerToClient>(outcome), false);
      bytes = std::max(bytes, answer.frames.body.size());
    }
    outcome = BrokerToClient{};
    give(socket_, std::move(answer));
    if (bytes > kLarge) ::malloc_trim(0);
  }

  zmq::socket_t& socket_;
  store::Database db_;
  const std::atomic<int64_t>& abandoned_;
  ReadQueue waiting_;
  bool stopped_ = false;
};

void run(zmq::context_t& context, const std::filesystem::path& store, const std::atomic<int64_t>& abandoned) {
  zmq::socket_t socket(context, zmq::socket_type::pair);
  socket.set(zmq::sockopt::sndhwm, 0);
  socket.set(zmq::sockopt::rcvhwm, 0);
  socket.connect(kEndpoint);
  try {
    Server(socket, store, abandoned).serve();
  } catch (const std::exception& error) {
    Answer last;
    last.died_of = error.what();
    give(socket, std::move(last));
    // A peer until told to end: without one the loop's next send would block for ever.
    while (const auto message = take<ToThread>(socket, zmq::recv_flags::none)) {
      if (std::holds_alternative<Stop>(*message)) break;
    }
  }
}

}  // namespace

ReadThread::ReadThread(zmq::context_t& context, std::filesystem::path store)
    : socket_(context, zmq::socket_type::pair) {
  socket_.set(zmq::sockopt::linger, 0);
  socket_.set(zmq::sockopt::sndhwm, 0);  // what may come is bounded by RequestsUnderWay and Tails
  socket_.set(zmq::sockopt::rcvhwm, 0);
  socket_.bind(kEndpoint);
  thread_ = std::thread([&context, store = std::move(store), this] { run(context, store, abandoned_); });
}

ReadThread::~ReadThread() {
  give(socket_, ToThread{Stop{}});
  thread_.join();
  while (take<Answer>(socket_, zmq::recv_flags::dontwait)) {
  }
}

void ReadThread::submit(ReadJob job) { give(socket_, ToThread{std::move(job)}); }

void ReadThread::abandon(int64_t id) {
  abandoned_ = id;  // the one that it is at; two at once are ended one after the other, by their time at the latest
  give(socket_, ToThread{Abandon{id}});
}

void ReadThread::discard(std::unique_ptr<CheckedDocument> spent) { give(socket_, ToThread{std::move(spent)}); }

std::optional<ReadThread::Answer> ReadThread::try_receive() {
  auto answer = take<Answer>(socket_, zmq::recv_flags::dontwait);
  if (!answer) return std::nullopt;
  if (!answer->died_of.empty()) throw std::runtime_error("read thread: " + answer->died_of);
  return std::move(*answer);
}

}  // namespace pipekit
