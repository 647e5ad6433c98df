#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "server/apply/range_exec.h"
#include "server/base/call.h"
#include "server/base/executor.h"
#include "server/node/node.h"
#include "server/storage/mvcc/backend_hash.h"
#include "server/storage/mvcc/store.h"

namespace etcd::ports {
class SnapshotSource;
}
namespace etcd::watch {
class WatchHub;
}
namespace etcd::lease {
class Lessor;
}

// The gRPC services of etcd's v3 API, as a table of handlers: translation between wire bytes and
// node, store, watch hub and lessor. The JSON gateway and the simulation call the same table.
namespace etcd::api::v3 {

struct Options {
  std::string server_version = "3.6.16";      // Maintenance.Status.version
  std::int64_t txn_ops_max = 128;             // --max-txn-ops
  std::size_t request_bytes_max = 1'572'864;  // --max-request-bytes; sizes RangeStream's chunks
  std::chrono::nanoseconds election_timeout = std::chrono::seconds(1);
  // 5 s + 2 election timeouts: how long a forwarded lease call waits for a leader.
  std::chrono::nanoseconds request_timeout = std::chrono::seconds(7);
};

struct RangeReport {
  const apply::RangeQuery& query;
  const absl::Status& status;
  std::size_t response_bytes;
  std::chrono::nanoseconds took;
};

// Counts calls (etcd_server_client_requests_total). Thread-safe, called on the loop threads for
// every call that got past the capability, learner and version checks.
class RequestObserver {
 public:
  virtual ~RequestObserver() = default;
  // `client_api_version`: metadata "client-api-version", or "unknown".
  virtual void OnRequest(bool is_stream, std::string_view client_api_version) = 0;
  // A Range was carried out, its read index round left out.
  virtual void OnRange(const RangeReport& /*report*/) {}
  // A Hash (`at_revision` false) or HashKV.
  virtual void OnHash(bool /*at_revision*/, std::chrono::nanoseconds /*took*/) {}
  // A message of a stream could not be read. `api`: "watch" or "lease-keepalive".
  virtual void OnReceiveFailure(std::string_view /*api*/) {}
};

// What the handlers work on; all of it outlives the table and every call made through it.
struct Deps {
  node::Node& node;
  mvcc::Store& store;
  watch::WatchHub& watch;
  lease::Lessor& lessor;
  base::Executor& background;      // timers and retries; nothing heavy runs there
  base::Executor* bulk = nullptr;  // whole-store scans (HashKV); null: background runs them
  // The database as of now, for Maintenance.Snapshot; called on `bulk`, may block. Null: the call
  // is unimplemented.
  std::function<absl::StatusOr<std::unique_ptr<ports::SnapshotSource>>()> snapshot = nullptr;
  RequestObserver* observer = nullptr;  // may be null
  // Maintenance.Hash; runs where `bulk` says.
  std::function<absl::StatusOr<mvcc::BackendHash>()> hash_backend = {};
};

// Every method of etcd's services, also those that only answer UNIMPLEMENTED so far.
base::MethodTable BuildMethodTable(const Deps& deps, Options options);

}  // namespace etcd::api::v3
