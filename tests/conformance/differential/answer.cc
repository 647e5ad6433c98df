#include "tests/conformance/differential/answer.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <google/protobuf/util/message_differencer.h>

namespace etcd::differential {
namespace {

using etcdserverpb::RangeRequest;
using etcdserverpb::RangeResponse;
using google::protobuf::Message;

std::unique_ptr<Message> ResponseOf(Kind kind) {
  switch (kind) {
    case Kind::kRange:
      return std::make_unique<RangeResponse>();
    case Kind::kPut:
    case Kind::kMalformed:
      return std::make_unique<etcdserverpb::PutResponse>();
    case Kind::kDeleteRange:
      return std::make_unique<etcdserverpb::DeleteRangeResponse>();
    case Kind::kTxn:
      return std::make_unique<etcdserverpb::TxnResponse>();
    case Kind::kCompact:
      return std::make_unique<etcdserverpb::CompactionResponse>();
    case Kind::kLeaseGrant:
      return std::make_unique<etcdserverpb::LeaseGrantResponse>();
    case Kind::kLeaseRevoke:
      return std::make_unique<etcdserverpb::LeaseRevokeResponse>();
    case Kind::kLeaseTimeToLive:
      return std::make_unique<etcdserverpb::LeaseTimeToLiveResponse>();
    case Kind::kLeaseLeases:
      return std::make_unique<etcdserverpb::LeaseLeasesResponse>();
    case Kind::kHashKv:
      return std::make_unique<etcdserverpb::HashKVResponse>();
    default:
      return std::make_unique<etcdserverpb::AlarmResponse>();
  }
}

std::unique_ptr<Message> RequestOf(Kind kind) {
  switch (kind) {
    case Kind::kRange:
    case Kind::kRangeStream:
      return std::make_unique<RangeRequest>();
    case Kind::kPut:
    case Kind::kMalformed:
      return std::make_unique<etcdserverpb::PutRequest>();
    case Kind::kDeleteRange:
      return std::make_unique<etcdserverpb::DeleteRangeRequest>();
    case Kind::kTxn:
      return std::make_unique<etcdserverpb::TxnRequest>();
    case Kind::kCompact:
      return std::make_unique<etcdserverpb::CompactionRequest>();
    case Kind::kLeaseGrant:
      return std::make_unique<etcdserverpb::LeaseGrantRequest>();
    case Kind::kLeaseRevoke:
      return std::make_unique<etcdserverpb::LeaseRevokeRequest>();
    case Kind::kLeaseTimeToLive:
      return std::make_unique<etcdserverpb::LeaseTimeToLiveRequest>();
    case Kind::kHashKv:
      return std::make_unique<etcdserverpb::HashKVRequest>();
    default:
      return std::make_unique<etcdserverpb::AlarmRequest>();
  }
}

// A message of the answer that carries the header of the server that made it.
etcdserverpb::ResponseHeader* MutableHeader(Message& message) {
  const auto* field = message.GetDescriptor()->FindFieldByName("header");
  if (field == nullptr || !message.GetReflection()->HasField(message, field)) return nullptr;
  return static_cast<etcdserverpb::ResponseHeader*>(
      message.GetReflection()->MutableMessage(&message, field));
}

void ForgetIdentity(Message& message) {
  if (auto* header = MutableHeader(message)) {
    header->clear_cluster_id();
    header->clear_member_id();
    header->clear_raft_term();
  }
}

// 3.7 answers keys_only from its index, which knows no leases.
void ForgetLeases(RangeResponse& response) {
  for (mvccpb::KeyValue& kv : *response.mutable_kvs()) {
    if (kv.value().empty()) kv.clear_lease();
  }
}

void ForgetLeasesInTxn(etcdserverpb::TxnResponse& response) {
  for (etcdserverpb::ResponseOp& op : *response.mutable_responses()) {
    if (op.has_response_range()) ForgetLeases(*op.mutable_response_range());
    if (op.has_response_txn()) ForgetLeasesInTxn(*op.mutable_response_txn());
  }
}

// Equal sort keys may come in any order, and a limit may cut any of them off. What is specified is
// the sequence of sort keys; pairs are compared as a set when nothing was cut.
void ForgetTies(const RangeRequest& request, RangeResponse& response) {
  if (request.sort_target() == RangeRequest::KEY) return;
  const auto sort_key = [&](const mvccpb::KeyValue& kv) {
    mvccpb::KeyValue key;
    switch (request.sort_target()) {
      case RangeRequest::VERSION:
        key.set_version(kv.version());
        break;
      case RangeRequest::CREATE:
        key.set_create_revision(kv.create_revision());
        break;
      case RangeRequest::MOD:
        key.set_mod_revision(kv.mod_revision());
        break;
      default:
        key.set_value(kv.value());
    }
    return key;
  };
  const bool cut = request.limit() > 0;
  std::vector<mvccpb::KeyValue> pairs(response.kvs().begin(), response.kvs().end());
  if (!cut) {
    std::stable_sort(pairs.begin(), pairs.end(), [&](const auto& a, const auto& b) {
      return a.key() < b.key() &&
             sort_key(a).SerializeAsString() == sort_key(b).SerializeAsString();
    });
  }
  // Bubble equal sort keys into key order: runs are adjacent already.
  for (std::size_t i = 0; i < pairs.size();) {
    std::size_t end = i + 1;
    const std::string key = sort_key(pairs[i]).SerializeAsString();
    while (end < pairs.size() && sort_key(pairs[end]).SerializeAsString() == key) ++end;
    std::sort(pairs.begin() + static_cast<std::ptrdiff_t>(i),
              pairs.begin() + static_cast<std::ptrdiff_t>(end),
              [](const auto& a, const auto& b) { return a.key() < b.key(); });
    i = end;
  }
  response.clear_kvs();
  for (const mvccpb::KeyValue& kv : pairs) *response.add_kvs() = cut ? sort_key(kv) : kv;
}

void ForgetTiesInTxn(const etcdserverpb::TxnRequest& request, etcdserverpb::TxnResponse& response) {
  const auto& ops = response.succeeded() ? request.success() : request.failure();
  for (int i = 0; i < std::min(ops.size(), response.responses_size()); ++i) {
    auto* op = response.mutable_responses(i);
    if (ops[i].has_request_range() && op->has_response_range()) {
      ForgetTies(ops[i].request_range(), *op->mutable_response_range());
    } else if (ops[i].has_request_txn() && op->has_response_txn()) {
      ForgetTiesInTxn(ops[i].request_txn(), *op->mutable_response_txn());
    }
  }
}

void Normalize(const Request& request, Message& response) {
  ForgetIdentity(response);
  const std::unique_ptr<Message> parsed = RequestOf(request.kind);
  if (!parsed->ParseFromString(request.message)) return;
  if (request.kind == Kind::kRange) {
    ForgetTies(static_cast<const RangeRequest&>(*parsed), static_cast<RangeResponse&>(response));
  } else if (request.kind == Kind::kTxn) {
    ForgetTiesInTxn(static_cast<const etcdserverpb::TxnRequest&>(*parsed),
                    static_cast<etcdserverpb::TxnResponse&>(response));
  } else if (request.kind == Kind::kLeaseTimeToLive) {
    auto& answer = static_cast<etcdserverpb::LeaseTimeToLiveResponse&>(response);
    std::sort(answer.mutable_keys()->begin(), answer.mutable_keys()->end());
  } else if (request.kind == Kind::kLeaseLeases) {
    auto& leases = *static_cast<etcdserverpb::LeaseLeasesResponse&>(response).mutable_leases();
    std::sort(leases.begin(), leases.end(),
              [](const auto& a, const auto& b) { return a.id() < b.id(); });
  }
}

// The pieces themselves are part of the contract: sizes of chunks, what the last one carries.
std::string StreamDifference(const Answer& ours, const Answer& theirs) {
  if (ours.stream.size() != theirs.stream.size()) {
    return "ours: " + std::to_string(ours.stream.size()) +
           " messages\ntheirs: " + std::to_string(theirs.stream.size());
  }
  for (std::size_t i = 0; i < ours.stream.size(); ++i) {
    etcdserverpb::RangeStreamResponse a;
    etcdserverpb::RangeStreamResponse b;
    if (!a.ParseFromString(ours.stream[i]) || !b.ParseFromString(theirs.stream[i])) {
      return "a message does not parse";
    }
    ForgetIdentity(*a.mutable_range_response());
    ForgetIdentity(*b.mutable_range_response());
    ForgetLeases(*a.mutable_range_response());
    ForgetLeases(*b.mutable_range_response());
    std::string report;
    google::protobuf::util::MessageDifferencer differencer;
    differencer.ReportDifferencesToString(&report);
    if (!differencer.Compare(a, b)) return "message " + std::to_string(i) + "\n" + report;
  }
  return "";
}

bool RemainingTimeIsClose(Message& ours, Message& theirs) {
  auto& a = static_cast<etcdserverpb::LeaseTimeToLiveResponse&>(ours);
  auto& b = static_cast<etcdserverpb::LeaseTimeToLiveResponse&>(theirs);
  if (std::llabs(a.ttl() - b.ttl()) > 2) return false;
  a.set_ttl(b.ttl());
  return true;
}

}  // namespace

std::string Difference(const Request& request, const Answer& ours, const Answer& theirs,
                       Peer peer) {
  // 3.4 and 3.7 check the operations of a transaction in another order than 3.6: another of several
  // errors wins.
  const bool for_34 = peer == Peer::k34;
  const bool both_refuse = ours.code > 0 && theirs.code > 0 && request.kind == Kind::kTxn;
  if (peer != Peer::k36 && both_refuse) return "";
  if (ours.code != theirs.code || ours.text != theirs.text) {
    return "ours: " + std::to_string(ours.code) + " " + ours.text +
           "\ntheirs: " + std::to_string(theirs.code) + " " + theirs.text;
  }
  if (request.kind == Kind::kRangeStream) return StreamDifference(ours, theirs);
  if (ours.code != 0) return "";
  const std::unique_ptr<Message> a = ResponseOf(request.kind);
  const std::unique_ptr<Message> b = ResponseOf(request.kind);
  if (!a->ParseFromString(ours.message) || !b->ParseFromString(theirs.message)) {
    return "a response does not parse";
  }
  Normalize(request, *a);
  Normalize(request, *b);
  if (peer == Peer::k37) {
    for (Message* message : {a.get(), b.get()}) {
      if (request.kind == Kind::kRange) ForgetLeases(static_cast<RangeResponse&>(*message));
      if (request.kind == Kind::kTxn) {
        ForgetLeasesInTxn(static_cast<etcdserverpb::TxnResponse&>(*message));
      }
    }
  }
  if (for_34 && request.kind == Kind::kHashKv) {
    static_cast<etcdserverpb::HashKVResponse&>(*a).clear_hash_revision();
  }
  if (for_34 && request.kind == Kind::kAlarm) {
    static_cast<etcdserverpb::AlarmResponse&>(*a).clear_header();
  }
  if (request.kind == Kind::kLeaseTimeToLive && !RemainingTimeIsClose(*a, *b)) {
    return "remaining time differs";
  }
  google::protobuf::util::MessageDifferencer differencer;
  std::string report;
  differencer.ReportDifferencesToString(&report);
  return differencer.Compare(*a, *b) ? "" : report;
}

std::int64_t HeaderRevision(const Request& request, const Answer& answer) {
  if (answer.code != 0) return 0;
  const std::unique_ptr<Message> response = ResponseOf(request.kind);
  if (!response->ParseFromString(answer.message)) return 0;
  const auto* header = MutableHeader(*response);
  return header == nullptr ? 0 : header->revision();
}

std::string DecodePercent(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out.push_back(static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16)));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::string Describe(const Request& request) {
  const std::unique_ptr<Message> parsed = RequestOf(request.kind);
  std::string text = request.path + " ";
  if (parsed->ParseFromString(request.message)) text += parsed->ShortDebugString();
  return text.substr(0, 3000);
}

}  // namespace etcd::differential
