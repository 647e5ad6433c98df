#include "server/apply/quota.h"

#include <algorithm>
#include <etcdserverpb/rpc.pb.h>

namespace etcd::apply {
namespace {

using Ops = google::protobuf::RepeatedPtrField<etcdserverpb::RequestOp>;

constexpr std::uint64_t kPutOverhead = 256;

std::uint64_t CostOfOps(const Ops& ops) {
  std::uint64_t cost = 0;
  for (const etcdserverpb::RequestOp& op : ops) {
    if (op.has_request_put()) cost += CostOf(op.request_put());
    if (op.has_request_txn()) cost += CostOf(op.request_txn());
  }
  return cost;
}

}  // namespace

std::uint64_t CostOfPut(std::size_t key_bytes, std::size_t value_bytes) {
  return kPutOverhead + key_bytes + value_bytes;
}

std::uint64_t CostOf(const etcdserverpb::PutRequest& put) {
  return CostOfPut(put.key().size(), put.value().size());
}

std::uint64_t CostOf(const etcdserverpb::TxnRequest& txn) {
  return std::max(CostOfOps(txn.success()), CostOfOps(txn.failure()));
}

}  // namespace etcd::apply
