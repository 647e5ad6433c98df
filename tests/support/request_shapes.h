#pragma once

#include <array>
#include <etcdserverpb/rpc.pb.h>
#include <memory>
#include <string>
#include <string_view>

#include "server/api/v3/canonical.h"
#include "tests/support/request_generator.h"

namespace etcd::testing {

// A request of the log: what the walker knows of it, and the message that protobuf makes of it.
struct RequestShape {
  std::string_view name;  // of the message
  const api::v3::MessageShape* shape;
  std::unique_ptr<google::protobuf::Message> (*make)();
};

template <typename Message>
std::unique_ptr<google::protobuf::Message> MakeRequest() {
  return std::make_unique<Message>();
}

inline constexpr std::array kRequestShapes = {
    RequestShape{"RangeRequest", &api::v3::kRangeRequestShape,
                 &MakeRequest<etcdserverpb::RangeRequest>},
    RequestShape{"PutRequest", &api::v3::kPutRequestShape, &MakeRequest<etcdserverpb::PutRequest>},
    RequestShape{"DeleteRangeRequest", &api::v3::kDeleteRangeRequestShape,
                 &MakeRequest<etcdserverpb::DeleteRangeRequest>},
    RequestShape{"TxnRequest", &api::v3::kTxnRequestShape, &MakeRequest<etcdserverpb::TxnRequest>},
    RequestShape{"CompactionRequest", &api::v3::kCompactionRequestShape,
                 &MakeRequest<etcdserverpb::CompactionRequest>},
    RequestShape{"LeaseGrantRequest", &api::v3::kLeaseGrantRequestShape,
                 &MakeRequest<etcdserverpb::LeaseGrantRequest>},
    RequestShape{"LeaseRevokeRequest", &api::v3::kLeaseRevokeRequestShape,
                 &MakeRequest<etcdserverpb::LeaseRevokeRequest>},
    RequestShape{"AlarmRequest", &api::v3::kAlarmRequestShape,
                 &MakeRequest<etcdserverpb::AlarmRequest>},
};

// Bytes of a random request of kRequestShapes[which].
inline std::string RandomRequest(RequestGenerator& generate, std::size_t which) {
  const auto number = [&] { return generate.Number(); };
  const auto message = kRequestShapes[which].make();
  if (auto* range = dynamic_cast<etcdserverpb::RangeRequest*>(message.get())) {
    generate.Fill(*range);
  } else if (auto* put = dynamic_cast<etcdserverpb::PutRequest*>(message.get())) {
    generate.Fill(*put);
  } else if (auto* txn = dynamic_cast<etcdserverpb::TxnRequest*>(message.get())) {
    generate.Fill(*txn, 3);
  } else if (auto* removal = dynamic_cast<etcdserverpb::DeleteRangeRequest*>(message.get())) {
    removal->set_key(generate.Text());
    removal->set_range_end(generate.Text());
    removal->set_prev_kv(generate.Coin());
  } else if (auto* compaction = dynamic_cast<etcdserverpb::CompactionRequest*>(message.get())) {
    compaction->set_revision(number());
    compaction->set_physical(generate.Coin());
  } else if (auto* grant = dynamic_cast<etcdserverpb::LeaseGrantRequest*>(message.get())) {
    grant->set_ttl(number());
    grant->set_id(number());
  } else if (auto* revoke = dynamic_cast<etcdserverpb::LeaseRevokeRequest*>(message.get())) {
    revoke->set_id(number());
  } else if (auto* alarm = dynamic_cast<etcdserverpb::AlarmRequest*>(message.get())) {
    alarm->set_action(static_cast<etcdserverpb::AlarmRequest::AlarmAction>(generate.Below(4)));
    alarm->set_memberid(generate.Below(2) * static_cast<std::uint64_t>(number()));
    alarm->set_alarm(static_cast<etcdserverpb::AlarmType>(-1));
  }
  return message->SerializeAsString();
}

}  // namespace etcd::testing
