#include "server/api/v3/kv.h"

#include <etcdserverpb/rpc.pb.h>
#include <memory>
#include <string>
#include <utility>

#include "server/api/v3/range_body.h"
#include "server/api/v3/range_stream.h"
#include "server/api/v3/read_txn.h"
#include "server/api/v3/request.h"
#include "server/api/v3/txn_check.h"
#include "server/apply/quota.h"
#include "server/base/check.h"
#include "server/base/status.h"

namespace etcd::api::v3 {

using base::CallContextPtr;
using base::UnaryDone;

void KvService::Range(CallContextPtr context, std::string_view request, UnaryDone done) const {
  RangeArgs args;
  if (!ParseRange(request, args)) return done(MalformedRequest());
  if (absl::Status status = CheckRange(args); !status.ok()) return done(std::move(status));
  if (args.serializable) return done(ExecuteRange(core_, args.query));

  // The read outlives the request bytes.
  auto key = std::make_unique<char[]>(args.query.key.size() + args.query.range_end.size());
  args.query.key.copy(key.get(), args.query.key.size());
  args.query.range_end.copy(key.get() + args.query.key.size(), args.query.range_end.size());
  apply::RangeQuery query = args.query;
  query.range_end = {key.get() + query.key.size(), query.range_end.size()};
  query.key = {key.get(), query.key.size()};
  core_.AfterReadIndex(context, [this, key = std::move(key), query,
                                 done = std::move(done)](absl::Status status) mutable {
    if (!status.ok()) return done(std::move(status));
    done(ExecuteRange(core_, query));
  });
}

void KvService::Put(CallContextPtr context, std::string_view request, UnaryDone done) const {
  std::string storage;
  if (!IsCanonical(kPutRequestShape, request)) {
    etcdserverpb::PutRequest message;
    auto bytes = CanonicalBytes(kPutRequestShape, request, message, storage);
    if (!bytes.ok()) return done(bytes.status());
    request = *bytes;
  }
  PutArgs args;
  CHECK(ParsePut(request, args)) << "canonical bytes are a message";
  if (!core_.node().AdmitByQuota(apply::CostOfPut(args.key.size(), args.value.size()))) {
    return done(Error(Errc::kNoSpace));
  }
  if (absl::Status status = CheckPut(args); !status.ok()) return done(std::move(status));
  core_.Propose(LogField::kPut, request, context, std::move(done));
}

void KvService::DeleteRange(CallContextPtr context, std::string_view request,
                            UnaryDone done) const {
  etcdserverpb::DeleteRangeRequest message;
  std::string storage;
  auto bytes = CanonicalBytes(kDeleteRangeRequestShape, request, message, storage);
  if (!bytes.ok()) return done(bytes.status());
  // The key is field 1 of canonical bytes: first, or not there.
  if (bytes->empty() || bytes->front() != '\x0a') return done(Error(Errc::kEmptyKey));
  core_.Propose(LogField::kDeleteRange, *bytes, context, std::move(done));
}

void KvService::Txn(CallContextPtr context, std::string_view request, UnaryDone done) const {
  etcdserverpb::TxnRequest txn;
  std::string storage;
  auto bytes = CanonicalBytes(kTxnRequestShape, request, txn, storage);
  if (!bytes.ok()) return done(bytes.status());
  if (storage.empty() && !txn.ParseFromArray(bytes->data(), static_cast<int>(bytes->size()))) {
    return done(MalformedRequest());
  }
  // Before any check, as in etcd: a member out of space says so even to a broken request.
  if (!core_.node().AdmitByQuota(apply::CostOf(txn))) return done(Error(Errc::kNoSpace));
  if (absl::Status status = CheckTxn(txn, core_.options().txn_ops_max); !status.ok()) {
    return done(std::move(status));
  }
  if (IsReadOnly(txn)) return ReadOnlyTxn(context, std::move(txn), std::move(done));
  core_.Propose(LogField::kTxn, *bytes, context, std::move(done));
}

void KvService::ReadOnlyTxn(const CallContextPtr& context, etcdserverpb::TxnRequest txn,
                            UnaryDone done) const {
  if (IsSerializable(txn)) return done(ExecuteReadTxn(core_, txn));
  core_.AfterReadIndex(
      context, [this, txn = std::move(txn), done = std::move(done)](absl::Status status) mutable {
        if (!status.ok()) return done(std::move(status));
        done(ExecuteReadTxn(core_, txn));
      });
}

void KvService::Compact(CallContextPtr context, std::string_view request, UnaryDone done) const {
  etcdserverpb::CompactionRequest compaction;
  std::string storage;
  auto bytes = CanonicalBytes(kCompactionRequestShape, request, compaction, storage);
  if (!bytes.ok()) return done(bytes.status());
  // A physical one is answered by the node when this member's own deletion is done.
  core_.Propose(LogField::kCompaction, *bytes, context, std::move(done));
}

std::unique_ptr<base::StreamHandler> KvService::RangeStream(CallContextPtr context,
                                                            base::StreamSinkPtr sink) const {
  return OpenRangeStream(core_, std::move(context), std::move(sink));
}

}  // namespace etcd::api::v3
