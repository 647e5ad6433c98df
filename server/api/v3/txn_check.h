#pragma once

#include <cstdint>

#include <absl/status/status.h>

namespace etcdserverpb {
class TxnRequest;
}

// What is known of a transaction before it is proposed.
namespace etcd::api::v3 {

// v3-api.md 3.4: operation counts against the budget, every compare and operation like its
// standalone request, then the duplicate-key rule.
absl::Status CheckTxn(const etcdserverpb::TxnRequest& txn, std::int64_t ops_max);

// Every operation of both branches is a Range (none at all counts): answered without the log.
bool IsReadOnly(const etcdserverpb::TxnRequest& txn);
// And all of those are serializable: answered from local state.
bool IsSerializable(const etcdserverpb::TxnRequest& txn);

}  // namespace etcd::api::v3
