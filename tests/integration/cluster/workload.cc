#include "tests/integration/cluster/workload.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "bench/load/requests.h"

namespace etcd::cluster {
namespace {

using etcdserverpb::RangeRequest;
using etcdserverpb::RangeResponse;
using etcdserverpb::TxnRequest;
using etcdserverpb::TxnResponse;

constexpr std::string_view kDeleteRange = "/etcdserverpb.KV/DeleteRange";

// A txn of one operation without comparisons goes out as the plain request it stands for.
bool IsPlain(const TxnRequest& txn) { return txn.compare().empty() && txn.success_size() == 1; }

void MakeReadAll(RangeRequest& range) {
  range.set_key("key/");
  range.set_range_end("key0");
}

}  // namespace

Workload::Workload(Endpoints& endpoints, Options options)
    : endpoints_(endpoints),
      options_(options),
      random_(options.seed),
      writers_(static_cast<std::size_t>(options.writers)) {
  Mark(SteadyClock::now());
}

// ---- The loop

void Workload::Tick(SteadyClock::time_point now) {
  if (!stopped_) {
    for (std::size_t i = 0; i < writers_.size(); ++i) {
      if (!writers_[i].busy && now >= writers_[i].due) Begin(i, now);
    }
  }
  std::erase_if(started_, [](const auto& operation) { return operation->ended; });
  for (const auto& operation : started_) {
    if (operation->given_up || now - operation->started < options_.patience) continue;
    operation->given_up = true;
    ++report_.errors["no answer in time"];
    if (!operation->is_read) OnFailed(*operation);
    writers_[operation->writer].busy = false;
    --open_;
  }
}

void Workload::Begin(std::size_t writer, SteadyClock::time_point now) {
  Endpoint* endpoint = Choose(now);
  if (endpoint == nullptr) return;
  const auto interval = std::chrono::duration_cast<SteadyClock::duration>(
      std::chrono::duration<double>(options_.writers / options_.rate));
  writers_[writer].due = now + interval;
  writers_[writer].busy = true;
  ++open_;
  auto operation = std::make_shared<Operation>();
  operation->writer = writer;
  operation->started = now;
  operation->begun = {simulation::Nanos(0), seen_, compacted_};
  Draw(writer, *operation);
  started_.push_back(operation);
  Send(*endpoint, operation);
}

// Mostly one that answers; a silent one now and then, so that a member that is cut off is asked.
Endpoint* Workload::Choose(SteadyClock::time_point now) {
  std::vector<Endpoint*> connected;
  std::vector<Endpoint*> answering;
  for (const auto& endpoint : endpoints_) {
    if (!endpoint->is_connected()) continue;
    connected.push_back(endpoint.get());
    if (!endpoint->IsSilent(now)) answering.push_back(endpoint.get());
  }
  if (connected.empty()) return nullptr;
  const auto& chosen = answering.empty() || random_() % 16 == 0 ? connected : answering;
  return chosen[random_() % chosen.size()];
}

void Workload::Send(Endpoint& endpoint, const std::shared_ptr<Operation>& operation) {
  auto done = [this, operation](const bench::Connection::Trailer& trailer,
                                std::string_view answer) { OnEnd(operation, trailer, answer); };
  if (operation->is_read) {
    return endpoint.Call(bench::kRange, operation->read.SerializeAsString(), std::move(done));
  }
  const TxnRequest& txn = operation->write;
  if (!IsPlain(txn)) return endpoint.Call(bench::kTxn, txn.SerializeAsString(), std::move(done));
  if (txn.success(0).has_request_put()) {
    return endpoint.Call(bench::kPut, txn.success(0).request_put().SerializeAsString(),
                         std::move(done));
  }
  endpoint.Call(kDeleteRange, txn.success(0).request_delete_range().SerializeAsString(),
                std::move(done));
}

void Workload::OnEnd(const std::shared_ptr<Operation>& operation,
                     const bench::Connection::Trailer& trailer, std::string_view answer) {
  operation->ended = true;
  if (!operation->given_up) {
    --open_;
    writers_[operation->writer].busy = false;
  }
  if (trailer.status == 0 && Parse(*operation, answer)) {
    answered_.push_back(operation);
    Learn(*operation);
    if (!operation->is_read) OnAcknowledged(*operation);
    return;
  }
  if (trailer.refused) {
    ++report_.errors["sent elsewhere"];
    return;
  }
  ++report_.errors[trailer.status == 0 ? "not a response" : trailer.text];
  if (operation->is_read) return;
  unknown_.push_back(operation);
  if (!operation->given_up) OnFailed(*operation);
}

// Into operation.answer, as the answer of a transaction or of a range.
bool Workload::Parse(Operation& operation, std::string_view answer) {
  const int size = static_cast<int>(answer.size());
  if (operation.is_read || !IsPlain(operation.write)) {
    operation.answer = answer;
    return true;
  }
  TxnResponse out;
  out.set_succeeded(true);
  if (operation.write.success(0).has_request_put()) {
    auto& put = *out.add_responses()->mutable_response_put();
    if (!put.ParseFromArray(answer.data(), size)) return false;
    *out.mutable_header() = put.header();
  } else {
    auto& deleted = *out.add_responses()->mutable_response_delete_range();
    if (!deleted.ParseFromArray(answer.data(), size)) return false;
    *out.mutable_header() = deleted.header();
  }
  operation.answer = out.SerializeAsString();
  return true;
}

// What later operations may not fall behind.
void Workload::Learn(const Operation& operation) {
  if (!operation.is_read) {
    TxnResponse response;
    response.ParseFromString(operation.answer);
    seen_ = std::max(seen_, response.header().revision());
    return;
  }
  RangeResponse response;
  response.ParseFromString(operation.answer);
  for (const mvccpb::KeyValue& kv : response.kvs()) {
    mod_revisions_[kv.key()] = kv.mod_revision();
  }
  if (operation.read.serializable()) return;
  seen_ = std::max(seen_, response.header().revision());
  ++report_.reads;
}

void Workload::OnFailed(const Operation& operation) {
  ++report_.failed_writes;
  bool& failed = writers_[operation.writer].failed;
  if (failed) ++report_.failed_twice;
  failed = true;
}

void Workload::OnAcknowledged(const Operation& operation) {
  const auto now = SteadyClock::now();
  if (!operation.given_up) writers_[operation.writer].failed = false;
  ++report_.writes;
  report_.longest_gap = std::max<std::chrono::nanoseconds>(report_.longest_gap, now - last_write_);
  report_.slowest = std::max<std::chrono::nanoseconds>(report_.slowest, now - operation.started);
  last_write_ = now;
}

void Workload::Mark(SteadyClock::time_point now) {
  report_ = {};
  last_write_ = now;
}

Workload::Report Workload::TakeReport(SteadyClock::time_point now) {
  Report out = report_;
  out.longest_gap = std::max<std::chrono::nanoseconds>(out.longest_gap, now - last_write_);
  return out;
}

// ---- What is asked

std::string Workload::DrawKey() {
  return fmt::format("key/{:02}", random_() % static_cast<std::uint64_t>(options_.keys));
}

// Never the same twice: each write can be told from all others.
std::string Workload::NextValue(std::size_t writer) {
  return fmt::format("{}:{}", writer, ++writers_[writer].counter);
}

void Workload::Draw(std::size_t writer, Operation& operation) {
  const std::uint64_t kind = random_() % 100;
  if (kind < 30) {
    operation.is_read = true;
    return DrawRead(operation.read);
  }
  if (kind < 50) return DrawTxn(writer, operation.write);
  etcdserverpb::RequestOp& op = *operation.write.add_success();
  if (kind < 55) {
    op.mutable_request_delete_range()->set_key(DrawKey());
    op.mutable_request_delete_range()->set_prev_kv(true);
    return;
  }
  op.mutable_request_put()->set_key(DrawKey());
  op.mutable_request_put()->set_value(NextValue(writer));
  op.mutable_request_put()->set_prev_kv(kind < 75);
}

void Workload::DrawRead(RangeRequest& range) {
  const std::uint64_t kind = random_() % 30;
  range.set_serializable(kind < 10);
  if (kind % 3 == 0) return MakeReadAll(range);
  range.set_key(DrawKey());
}

// Half guarded updates as Kubernetes makes them, half writes of several keys at once.
void Workload::DrawTxn(std::size_t writer, TxnRequest& txn) {
  const std::string key = DrawKey();
  if (random_() % 2 == 0) {
    etcdserverpb::Compare& compare = *txn.add_compare();
    compare.set_key(key);
    compare.set_target(etcdserverpb::Compare::MOD);
    compare.set_result(etcdserverpb::Compare::EQUAL);
    compare.set_mod_revision(mod_revisions_[key]);
    txn.add_failure()->mutable_request_range()->set_key(key);
  }
  etcdserverpb::PutRequest& put = *txn.add_success()->mutable_request_put();
  put.set_key(key);
  put.set_value(NextValue(writer));
  if (const std::string other = DrawKey(); other != key) {
    if (random_() % 4 == 0) {
      txn.add_success()->mutable_request_delete_range()->set_key(other);
    } else {
      etcdserverpb::PutRequest& second = *txn.add_success()->mutable_request_put();
      second.set_key(other);
      second.set_value(NextValue(writer));
    }
  }
}

// ---- The end

std::int64_t Workload::ReadAll(Endpoint& endpoint) {
  auto operation = std::make_shared<Operation>();
  operation->is_read = true;
  operation->begun = {simulation::Nanos(0), seen_, compacted_};
  MakeReadAll(operation->read);
  operation->answer = endpoint.CallAndWait(bench::kRange, operation->read.SerializeAsString(),
                                           std::chrono::seconds(30));
  if (operation->answer.empty()) return 0;
  answered_.push_back(operation);
  Learn(*operation);
  return seen_;
}

void Workload::Check(simulation::History& history) {
  for (const auto& operation : started_) {
    if (!operation->ended && !operation->is_read) unknown_.push_back(operation);
  }
  std::uint64_t id = 0;
  for (const auto& operation : unknown_) {
    history.OutcomeUnknown({++id, operation->write, operation->begun});
  }
  for (const auto& operation : answered_) {
    if (operation->is_read) {
      RangeResponse response;
      response.ParseFromString(operation->answer);
      history.CheckRange(operation->begun, operation->read, response);
    } else {
      TxnResponse response;
      response.ParseFromString(operation->answer);
      history.CheckWrite({++id, operation->write, operation->begun}, response);
    }
  }
  history.CheckUnclaimed();
}

}  // namespace etcd::cluster
