#pragma once

#include <cstdint>
#include <etcdserverpb/rpc.pb.h>
#include <string>

#include "server/base/random.h"

namespace etcd::testing {

// Random requests of the kinds that go into the log, and mutations of their bytes.
class RequestGenerator {
 public:
  explicit RequestGenerator(std::uint64_t seed) : random_(seed) {}

  std::string Text() {
    return std::string(random_.Below(4), static_cast<char>(random_.Below(256)));
  }
  std::int64_t Number() {
    const std::uint64_t width = random_.Below(64);
    return static_cast<std::int64_t>(random_.Next() >> width);
  }
  bool Coin() { return random_.Below(2) == 0; }
  std::uint64_t Below(std::uint64_t bound) { return random_.Below(bound); }

  void Fill(etcdserverpb::RangeRequest& range) {
    range.set_key(Text());
    range.set_range_end(Text());
    range.set_limit(Number());
    range.set_revision(Number());
    range.set_sort_order(static_cast<etcdserverpb::RangeRequest::SortOrder>(Below(5)));
    range.set_sort_target(static_cast<etcdserverpb::RangeRequest::SortTarget>(-1));
    range.set_serializable(Coin());
    range.set_max_create_revision(Number());
  }
  void Fill(etcdserverpb::PutRequest& put) {
    put.set_key(Text());
    put.set_value(Text());
    put.set_lease(Number());
    put.set_prev_kv(Coin());
    put.set_ignore_value(Coin());
  }
  void Fill(etcdserverpb::Compare& compare) {
    compare.set_result(static_cast<etcdserverpb::Compare::CompareResult>(Below(4)));
    compare.set_target(static_cast<etcdserverpb::Compare::CompareTarget>(Below(5)));
    compare.set_key(Text());
    switch (Below(6)) {
      case 0:
        compare.set_version(Number());
        break;
      case 1:
        compare.set_create_revision(Number());
        break;
      case 2:
        compare.set_mod_revision(Number());
        break;
      case 3:
        compare.set_value(Text());
        break;
      case 4:
        compare.set_lease(Number());
        break;
      default:
        break;
    }
    compare.set_range_end(Text());
  }
  void Fill(etcdserverpb::TxnRequest& txn, int depth) {
    for (auto n = Below(3); n > 0; --n) Fill(*txn.add_compare());
    for (auto n = Below(3); n > 0; --n) Fill(*txn.add_success(), depth);
    for (auto n = Below(3); n > 0; --n) Fill(*txn.add_failure(), depth);
  }
  std::string Mutate(std::string bytes) {
    for (auto n = 1 + Below(3); n > 0; --n) {
      if (bytes.empty()) return bytes;
      const std::size_t at = Below(bytes.size());
      switch (Below(4)) {
        case 0:
          bytes[at] = static_cast<char>(Below(256));
          break;
        case 1:
          bytes.erase(at, 1 + Below(3));
          break;
        case 2:
          bytes.insert(at, 1, static_cast<char>(Below(256)));
          break;
        default:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << Below(8)));
          break;
      }
    }
    return bytes;
  }

 private:
  void Fill(etcdserverpb::RequestOp& op, int depth) {
    switch (Below(depth > 0 ? 5 : 4)) {
      case 0:
        Fill(*op.mutable_request_range());
        break;
      case 1:
        Fill(*op.mutable_request_put());
        break;
      case 2:
        op.mutable_request_delete_range()->set_key(Text());
        break;
      case 3:
        break;
      default:
        Fill(*op.mutable_request_txn(), depth - 1);
        break;
    }
  }

  base::SeededRandom random_;
};

}  // namespace etcd::testing
