#pragma once

#include <memory>
#include <string_view>

#include "server/api/v3/core.h"
#include "server/base/call.h"

namespace etcdserverpb {
class TxnRequest;
}

namespace etcd::api::v3 {

// etcdserverpb.KV. Stateless and thread-safe; each method answers
// exactly once and never blocks.
class KvService {
 public:
  explicit KvService(const Core& core) : core_(core) {}

  void Range(base::CallContextPtr context, std::string_view request, base::UnaryDone done) const;
  void Put(base::CallContextPtr context, std::string_view request, base::UnaryDone done) const;
  void DeleteRange(base::CallContextPtr context, std::string_view request,
                   base::UnaryDone done) const;
  void Txn(base::CallContextPtr context, std::string_view request, base::UnaryDone done) const;
  void Compact(base::CallContextPtr context, std::string_view request, base::UnaryDone done) const;
  std::unique_ptr<base::StreamHandler> RangeStream(base::CallContextPtr context,
                                                   base::StreamSinkPtr sink) const;

 private:
  void ReadOnlyTxn(const base::CallContextPtr& context, etcdserverpb::TxnRequest txn,
                   base::UnaryDone done) const;

  const Core& core_;
};

}  // namespace etcd::api::v3
