#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>

#include "server/api/v3/core.h"
#include "server/base/call.h"

namespace etcd::api::v3 {

// etcdserverpb.Lease. Grants and revokes go through the log; renewals and remaining times are the
// primary's own, after a read index proved that it still leads (etcd issue 20615).
class LeaseService {
 public:
  explicit LeaseService(const Core& core) : core_(core) {}

  void Grant(base::CallContextPtr context, std::string_view request, base::UnaryDone done) const;
  void Revoke(base::CallContextPtr context, std::string_view request, base::UnaryDone done) const;
  void TimeToLive(base::CallContextPtr context, std::string_view request,
                  base::UnaryDone done) const;
  void Leases(base::CallContextPtr context, std::string_view request, base::UnaryDone done) const;
  std::unique_ptr<base::StreamHandler> KeepAlive(base::CallContextPtr context,
                                                 base::StreamSinkPtr sink) const;

 private:
  const Core& core_;
};

// What another member is asked when it is the primary lessor.
struct PrimaryQuestion {
  std::string path;  // "/leases"
  std::string body;
};

// Calls `then` with nullopt once this member is the primary lessor and has confirmed its
// leadership, or with what the primary elsewhere answers to `question`. Errors: kLeaseNotFound from
// there, kNoLeader or kTimeout when the request timeout passes before anybody answers, those of the
// read index.
using PrimaryAnswer = absl::AnyInvocable<void(absl::StatusOr<std::optional<std::string>>)>;
void AskPrimary(const Core& core, base::CallContextPtr context, PrimaryQuestion question,
                PrimaryAnswer then);

}  // namespace etcd::api::v3
