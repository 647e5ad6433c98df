#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "bench/load/requests.h"
#include "bench/load/wire_reader.h"
#include "bench/load/workload.h"

namespace etcd::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kResources = 10;  // pods, leases, ...: each one prefix, listed and watched as a whole
constexpr int kNamespaces = 20;
constexpr int kLeases = 100;

std::string Prefix(std::int64_t resource) { return fmt::format("/registry/resource{}/", resource); }

// End of the range of all keys that begin with a prefix which ends with '/'.
std::string EndOf(std::string prefix) {
  ++prefix.back();
  return prefix;
}

std::string ObjectKey(std::int64_t n) {
  return fmt::format("{}namespace-{}/object-{:08}", Prefix(n % kResources),
                     n / kResources % kNamespaces, n);
}

// 60 % guarded updates, 20 % gets, 10 % lists of a resource (limit 500), 5 % creates, 5 % deletes,
// in a closed loop; beside it watchers on the resources, lease renewals at a fixed rate and one
// compaction in the middle.
class KubernetesRun {
 public:
  explicit KubernetesRun(const Options& options)
      : options_(options),
        random_(options.seed),
        value_(static_cast<std::size_t>(options.value_bytes), 'v') {}

  Outcome Run() {
    connections_ = Connect(loop_, options_);
    Fill();
    Connection side(loop_, options_.host, options_.port);
    OpenWatchers(side);
    const std::int32_t renewals = OpenLeases(side);

    const SteadyClock::time_point start = SteadyClock::now();
    StartAll([this](Connection& connection) { Next(connection); });
    bool compacted = false;
    std::int64_t renewed = 0;
    while (outcome_.operations < options_.total) {
      const double elapsed = std::chrono::duration<double>(SteadyClock::now() - start).count();
      for (; static_cast<double>(renewed) < elapsed * options_.rate; ++renewed) {
        side.Send(renewals, LeaseKeepAlive(1 + renewed % kLeases));
      }
      if (!compacted && outcome_.operations > options_.total / 2) {
        compacted = true;
        side.Call(kCompact, Compaction(revision_ - options_.total / 10), Checked());
      }
      side.Flush();
      loop_.RunUntil([this] { return outcome_.operations == options_.total; },
                     std::chrono::milliseconds(2));
    }
    outcome_.elapsed = SteadyClock::now() - start;
    outcome_.extra = {{"conflicts", static_cast<double>(conflicts_)},
                      {"events", static_cast<double>(events_)},
                      {"renewals", static_cast<double>(renewals_answered_)}};
    return std::move(outcome_);
  }

 private:
  struct Request {
    std::string_view path;
    std::string message;
    std::int64_t object = -1;  // written by a txn; -1: a read
    bool is_delete = false;
  };

  Connection::UnaryDone Checked() {
    return [this](const Connection::Trailer& trailer, std::string_view) {
      if (trailer.status != 0) ++outcome_.errors;
    };
  }

  template <typename Start>
  void StartAll(Start start) {
    for (int i = 0; i < options_.clients; ++i) {
      start(*connections_[static_cast<std::size_t>(i) % connections_.size()]);
    }
    for (const auto& connection : connections_) connection->Flush();
  }

  void Fill() {
    StartAll([this](Connection& connection) { Create(connection); });
    loop_.RunUntil([this] { return filled_ == options_.key_space; });
  }

  void Create(Connection& connection) {
    if (std::ssize(mod_revisions_) == options_.key_space) return;
    const auto object = std::ssize(mod_revisions_);
    mod_revisions_.push_back(0);
    connection.Call(
        kTxn, WriteOf(object).message,
        [this, &connection, object](const Connection::Trailer& trailer, std::string_view response) {
          if (trailer.status != 0) ++outcome_.errors;
          Learn(object, false, response);
          ++filled_;
          Create(connection);
        });
  }

  void OpenWatchers(Connection& side) {
    for (int s = 0; s < 10; ++s) {
      const std::int32_t stream = side.OpenStream(kWatch, [this](std::string_view message) {
        if (VarintOf(message, 3) != 0) {
          ++watching_;
        } else {
          events_ += CountEvents(message);
        }
      });
      for (int w = 0; w < options_.watchers_per_stream; ++w) {
        // A kubelet or a controller of one namespace; one in ten watches the whole resource.
        std::string prefix = Prefix(s);
        if (w % 10 != 0) prefix += fmt::format("namespace-{}/", w % kNamespaces);
        side.Send(stream, WatchCreate(prefix, EndOf(prefix), true));
      }
    }
    side.Flush();
    loop_.RunUntil([this] { return watching_ == 10 * options_.watchers_per_stream; });
  }

  std::int32_t OpenLeases(Connection& side) {
    int granted = 0;
    for (std::int64_t id = 1; id <= kLeases; ++id) {
      side.Call(kLeaseGrant, LeaseGrant(id, 600),
                [&granted](const Connection::Trailer&, std::string_view) { ++granted; });
    }
    side.Flush();
    loop_.RunUntil([&granted] { return granted == kLeases; });
    return side.OpenStream(kLeaseKeepAlive, [this](std::string_view) { ++renewals_answered_; });
  }

  void Next(Connection& connection) {
    if (started_ == options_.total) return;
    ++started_;
    Request request = Make();
    const SteadyClock::time_point begin = SteadyClock::now();
    connection.Call(
        request.path, request.message,
        [this, &connection, begin, object = request.object, is_delete = request.is_delete](
            const Connection::Trailer& trailer, std::string_view response) {
          ++outcome_.operations;
          if (trailer.status != 0) ++outcome_.errors;
          outcome_.response_bytes += static_cast<std::int64_t>(response.size());
          outcome_.AddLatency(SteadyClock::now() - begin);
          if (object >= 0) Learn(object, is_delete, response);
          Next(connection);
        });
  }

  Request Make() {
    const std::uint64_t draw = random_() % 100;
    if (draw < 60) return WriteOf(AnyObject());
    if (draw < 80) return {kRange, RangeRequest(ObjectKey(AnyObject()), {})};
    if (draw < 90) {
      const std::string prefix = Prefix(static_cast<std::int64_t>(random_() % kResources));
      return {kRange, RangeRequest(prefix, {.end = EndOf(prefix), .limit = 500})};
    }
    if (draw < 95) {
      mod_revisions_.push_back(0);
      return WriteOf(std::ssize(mod_revisions_) - 1);
    }
    const std::int64_t object = AnyObject();
    const std::string key = ObjectKey(object);
    return {kTxn, GuardedTxn(key, ModRevision(object), DeleteOp(key)), object, true};
  }

  // A create when the object does not exist.
  Request WriteOf(std::int64_t object) {
    const std::string key = ObjectKey(object);
    return {kTxn, GuardedTxn(key, ModRevision(object), PutOp(PutRequest(key, value_))), object};
  }

  // One that exists, as far as known.
  std::int64_t AnyObject() {
    while (true) {
      const auto object = static_cast<std::int64_t>(
          random_() % static_cast<std::uint64_t>(std::ssize(mod_revisions_)));
      if (ModRevision(object) != 0) return object;
    }
  }

  std::int64_t& ModRevision(std::int64_t object) {
    return mod_revisions_[static_cast<std::size_t>(object)];
  }

  // What a txn on `object` tells: its own revision, or the state that the comparison met.
  void Learn(std::int64_t object, bool is_delete, std::string_view response) {
    revision_ = std::max(revision_, RevisionOf(response));
    if (VarintOf(response, 2) != 0) {
      ModRevision(object) = is_delete ? 0 : RevisionOf(response);
      return;
    }
    ++conflicts_;
    const std::string_view range = BytesOf(BytesOf(response, 3), 1);
    ModRevision(object) = VarintOf(BytesOf(range, 2), 3);
  }

  const Options& options_;
  std::mt19937_64 random_;
  std::string value_;
  Loop loop_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::int64_t> mod_revisions_;  // by object; 0: does not exist
  std::int64_t revision_ = 0;
  std::int64_t filled_ = 0;
  std::int64_t started_ = 0;
  std::int64_t watching_ = 0;
  std::int64_t events_ = 0;
  std::int64_t conflicts_ = 0;
  std::int64_t renewals_answered_ = 0;
  Outcome outcome_;
};

}  // namespace

Outcome RunKubernetes(const Options& options) { return KubernetesRun(options).Run(); }

}  // namespace etcd::bench
