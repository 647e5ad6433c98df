#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

#include "server/api/v3/services.h"
#include "server/base/call.h"
#include "server/base/ids.h"
#include "server/node/node.h"

namespace etcd::api::v3 {

// Numbers of InternalRaftRequest's operations.
enum class LogField : std::uint32_t {
  kPut = 4,
  kDeleteRange = 5,
  kTxn = 6,
  kCompaction = 7,
  kLeaseGrant = 8,
  kLeaseRevoke = 9,
  kAlarm = 10,
  kDowngradeInfoSet = 1302,
};

// What every service needs: the way to the log and back, headers, read barriers. Immutable and
// thread-safe; lives as long as the method table, which outlives its calls.
class Core {
 public:
  Core(const Deps& deps, Options options);

  node::Node& node() const { return deps_.node; }
  mvcc::Store& store() const { return deps_.store; }
  const Deps& deps() const { return deps_; }
  const Options& options() const { return options_; }

  // ResponseHeader as field 1 of a response. Revision 0 is left out.
  void AppendHeader(std::string& out, Revision revision) const;
  // A message that is nothing but a header with the current revision.
  base::Body HeaderOnly() const;

  // The entry for `operation`, the canonical bytes of a request message.
  std::string BuildEntry(LogField field, std::string_view operation, RequestId id) const;

  // Proposes and answers with the result behind this member's header.
  void Propose(LogField field, std::string_view operation, const base::CallContextPtr& context,
               base::UnaryDone done) const;
  // As Propose, for who looks at the result first. `done` runs on the apply or raft thread.
  void ProposeRaw(LogField field, std::string_view operation, const base::CallContextPtr& context,
                  node::ProposeDone done) const;
  // Header and body of a result, or its error.
  absl::StatusOr<base::Body> Answer(apply::Result result) const;

  // Calls `then` after a read index: on the calling thread if the node answers at once, else on
  // the connection's loop.
  void AfterReadIndex(const base::CallContextPtr& context,
                      absl::AnyInvocable<void(absl::Status)> then) const;

  // A message of a stream that could not be read. `api`: "watch" or "lease-keepalive".
  void CountReceiveFailure(std::string_view api) const {
    if (deps_.observer != nullptr) deps_.observer->OnReceiveFailure(api);
  }

  // Runs a scan of the whole store off the loops.
  base::Executor& bulk() const { return deps_.bulk != nullptr ? *deps_.bulk : deps_.background; }

 private:
  Deps deps_;
  Options options_;
  std::string header_ids_;  // fields 1 and 2 of every header
};

// What gRPC says of bytes that are no message.
absl::Status MalformedRequest();
absl::Status MalformedStreamMessage();

}  // namespace etcd::api::v3
