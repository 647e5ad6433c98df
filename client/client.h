#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "client/config.h"
#include "client/outcome.h"
#include "client/types.h"

namespace etcd::client {

namespace internal {
class Core;
}

// One or several members of an etcd cluster, ours or Go's (3.4 and later). Thread-safe; calls
// block. Connections are made when they are first needed, one for each endpoint, and kept.
//
// Errors. What etcd answered is found by ErrcOf(status) (server/base/errc.h): the row with exactly
// this text; other errors have gRPC's code. OutcomeOf(status) says whether a failed change may
// have happened all the same.
//
// Repeats, as Go's client does them. Calls that change nothing (and AlarmDisarm, which may be
// repeated) go to another endpoint while the answer is Unavailable, until the timeout. Changes
// (Put, Delete, Txn, Compact, Member*, MoveLeader, Defragment) are repeated only when the attempt
// was never on a connection. What a learner refuses is asked of another endpoint.
class Client {
 public:
  // InvalidArgument for a bad endpoint; Unimplemented for TLS and credentials. Connects to
  // nothing.
  static absl::StatusOr<std::unique_ptr<Client>> Create(Config config);
  // As Close. No call may be running.
  ~Client();

  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Other endpoints from now on; connections of those that stay are kept, and calls in flight go
  // on. InvalidArgument as of Create: nothing has changed then.
  absl::Status SetEndpoints(std::vector<std::string> endpoints);
  std::vector<std::string> endpoints() const;

  // Ends calls in flight, and all later ones, with Cancelled. From any thread.
  void Close();

  // ---- Keys.
  absl::StatusOr<RangeResponse> Range(const RangeRequest& request, const CallOptions& options = {});
  absl::StatusOr<PutResponse> Put(const PutRequest& request, const CallOptions& options = {});
  absl::StatusOr<DeleteResponse> Delete(const DeleteRequest& request,
                                        const CallOptions& options = {});
  absl::StatusOr<TxnResponse> Txn(const TxnRequest& request, const CallOptions& options = {});
  // `physical`: returns only when the records are gone.
  absl::StatusOr<CompactResponse> Compact(Revision revision, bool physical,
                                          const CallOptions& options = {});

  // ---- Cluster. Learners refuse all of these.
  enum class Consistency : std::uint8_t {
    kLinearizable,  // confirmed by a quorum; servers before 3.5 answer as kSerializable
    kSerializable,  // what the asked member has applied
  };
  absl::StatusOr<MembersResponse> MemberList(Consistency consistency,
                                             const CallOptions& options = {});
  absl::StatusOr<MemberAddResponse> MemberAdd(const std::vector<std::string>& peer_urls,
                                              const CallOptions& options = {});
  absl::StatusOr<MemberAddResponse> MemberAddAsLearner(const std::vector<std::string>& peer_urls,
                                                       const CallOptions& options = {});
  absl::StatusOr<MembersResponse> MemberPromote(MemberId id, const CallOptions& options = {});
  absl::StatusOr<MembersResponse> MemberRemove(MemberId id, const CallOptions& options = {});
  absl::StatusOr<MembersResponse> MemberUpdate(MemberId id,
                                               const std::vector<std::string>& peer_urls,
                                               const CallOptions& options = {});

  // ---- Maintenance. All but the alarms are about the endpoint that the options name.
  // Learners answer this one.
  absl::StatusOr<StatusResponse> Status(const CallOptions& options = {});
  // At the current revision for 0.
  absl::StatusOr<HashKvResponse> HashKv(Revision revision, const CallOptions& options = {});
  // The named endpoint must be the leader's: Errc::kNotLeader otherwise.
  absl::Status MoveLeader(MemberId to, const CallOptions& options = {});
  // Blocks for as long as the member needs: give it a timeout of minutes.
  absl::Status Defragment(const CallOptions& options = {});
  // Goes through the log, so it needs a quorum.
  absl::StatusOr<AlarmsResponse> AlarmList(const CallOptions& options = {});
  // The alarms that are gone; none when it was not raised.
  absl::StatusOr<AlarmsResponse> AlarmDisarm(Alarm alarm, const CallOptions& options = {});

  // Next bytes of a snapshot's file, in order; an error ends the call with it. `remaining_bytes`:
  // of the image, behind these.
  using SnapshotSink =
      std::function<absl::Status(std::string_view bytes, std::uint64_t remaining_bytes)>;
  // The member's whole state as a file that etcdutl restores. The sink gets it with its trailer
  // (SHA-256 of the image), in pieces of a few 10 KiB, on the caller's thread; no more than one
  // window of the connection is held meanwhile. DataLoss when the stream ended early or the
  // trailer is not that of the bytes: what the sink wrote is worth nothing then, as after every
  // error.
  absl::StatusOr<SnapshotSummary> Snapshot(const SnapshotSink& sink, const CallOptions& options);

 private:
  explicit Client(std::unique_ptr<internal::Core> core);

  absl::StatusOr<MemberAddResponse> AddMember(const std::vector<std::string>& peer_urls,
                                              bool is_learner, const CallOptions& options);

  std::unique_ptr<internal::Core> core_;
};

}  // namespace etcd::client
