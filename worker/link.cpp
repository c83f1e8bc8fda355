#include "worker/link.h"

#include <array>
#include <cstring>
#include <stdexcept>

namespace pipekit::worker {
namespace {

constexpr auto kEndpoint = "inproc://executors";

// From the executor: kind, then for a fact {run, epoch, seq, final}, then head and body.
constexpr char kFact = 'F';
constexpr char kMayStart = 'M';
constexpr char kResult = 'R';
constexpr char kDone = 'D';
// To the executor: kind and a number.
constexpr char kGo = 'G';
constexpr char kStop = 'S';
constexpr char kAcknowledged = 'A';
constexpr char kCancel = 'C';
constexpr char kKill = 'K';

// Both ends are this process: the struct's own bytes are the message.
struct Note {
  char kind = 0;
  bool final = false;
  RunKey key;
  int64_t seq = 0;
};

zmq::const_buffer bytes(const Note& note) { return {&note, sizeof note}; }

Note note_from(const zmq::message_t& part) {
  if (part.size() != sizeof(Note)) throw std::logic_error("a link message of the wrong size");
  Note note;
  std::memcpy(&note, part.data(), sizeof note);
  return note;
}

bool is_final(const FactBody& body) {
  return std::holds_alternative<fact::Finished>(body) || std::holds_alternative<fact::Refused>(body);
}

FromExecutor::Kind kind_of(char kind) {
  switch (kind) {
    case kFact:
      return FromExecutor::Kind::fact;
    case kMayStart:
      return FromExecutor::Kind::may_start;
    case kResult:
      return FromExecutor::Kind::result;
    default:
      return FromExecutor::Kind::done;
  }
}

}  // namespace

Link::Link(zmq::context_t& context, const std::string& id, RunKey key)
    : socket_(context, zmq::socket_type::dealer), key_(key) {
  socket_.set(zmq::sockopt::linger, -1);  // the last message has to arrive; the hub outlives the executors
  socket_.set(zmq::sockopt::sndhwm, 0);   // bounded by the window above
  socket_.set(zmq::sockopt::rcvhwm, 0);
  socket_.set(zmq::sockopt::routing_id, id);
  socket_.connect(kEndpoint);
}

int64_t Link::send(FactBody body) {
  Note note{kFact, is_final(body), key_, ++seq_};
  const auto frames = encode(WorkerToBroker{Fact{key_, seq_, std::move(body)}});
  const auto size = static_cast<int64_t>(frames.body.size());
  open_.emplace_back(seq_, size);
  open_bytes_ += size;
  socket_.send(bytes(note), zmq::send_flags::sndmore);
  socket_.send(zmq::buffer(frames.head), zmq::send_flags::sndmore);
  socket_.send(zmq::buffer(frames.body), zmq::send_flags::none);
  return seq_;
}

void Link::send(TaskResult result) {
  const auto frames = encode(WorkerToBroker{std::move(result)});
  socket_.send(bytes({kResult, true, key_, 0}), zmq::send_flags::sndmore);
  socket_.send(zmq::buffer(frames.head), zmq::send_flags::sndmore);
  socket_.send(zmq::buffer(frames.body), zmq::send_flags::none);
}

void Link::done() { socket_.send(bytes({kDone, true, key_, 0}), zmq::send_flags::none); }

bool Link::may_start() {
  answer_.reset();
  socket_.send(bytes({kMayStart, false, key_, 0}), zmq::send_flags::none);
  while (!answer_) take(zmq::recv_flags::none);
  return *answer_ && !killed_;
}

bool Link::wait_acknowledged(int64_t seq) {
  while (acknowledged_ < seq) {
    if (cancelled_ || killed_) return false;
    take(zmq::recv_flags::none);
  }
  return true;
}

void Link::pump() {
  while (take(zmq::recv_flags::dontwait)) {
  }
}

bool Link::take(zmq::recv_flags flags) {
  zmq::message_t part;
  if (!socket_.recv(part, flags)) return false;
  const auto note = note_from(part);
  switch (note.kind) {
    case kGo:
      answer_ = true;
      break;
    case kStop:
      answer_ = false;
      break;
    case kCancel:
      cancelled_ = true;
      break;
    case kKill:
      killed_ = true;
      break;
    default:
      acknowledged_ = std::max(acknowledged_, note.seq);
      while (!open_.empty() && open_.front().first <= acknowledged_) {
        open_bytes_ -= open_.front().second;
        open_.pop_front();
      }
  }
  return true;
}

LinkHub::LinkHub(zmq::context_t& context) : socket_(context, zmq::socket_type::router) {
  socket_.set(zmq::sockopt::linger, 0);
  socket_.set(zmq::sockopt::sndhwm, 0);
  socket_.set(zmq::sockopt::rcvhwm, 0);
  socket_.bind(kEndpoint);
}

std::optional<FromExecutor> LinkHub::try_receive() {
  zmq::message_t id;
  if (!socket_.recv(id, zmq::recv_flags::dontwait)) return std::nullopt;
  zmq::message_t first;
  if (!socket_.recv(first, zmq::recv_flags::none)) return std::nullopt;
  const auto note = note_from(first);
  FromExecutor message{id.to_string(), kind_of(note.kind), note.key, note.seq, note.final, {}};
  if (first.more()) {
    zmq::message_t head;
    zmq::message_t body;
    static_cast<void>(socket_.recv(head, zmq::recv_flags::none));
    static_cast<void>(socket_.recv(body, zmq::recv_flags::none));
    message.frames = {head.to_string(), body.to_string()};
  }
  return message;
}

// An executor that has ended drops what is sent to it.
void LinkHub::send(const std::string& id, char kind, int64_t seq) {
  socket_.send(zmq::buffer(id), zmq::send_flags::sndmore);
  socket_.send(bytes({kind, false, {}, seq}), zmq::send_flags::none);
}

void LinkHub::answer(const std::string& id, bool go) { send(id, go ? kGo : kStop); }
void LinkHub::acknowledged(const std::string& id, int64_t seq) { send(id, kAcknowledged, seq); }
void LinkHub::cancel(const std::string& id) { send(id, kCancel); }
void LinkHub::kill(const std::string& id) { send(id, kKill); }

}  // namespace pipekit::worker
