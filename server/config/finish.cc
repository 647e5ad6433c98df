#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "server/base/status.h"
#include "server/config/flag_value.h"
#include "server/config/go_values.h"
#include "server/config/sources.h"

namespace etcd::config {
namespace {

using std::chrono::nanoseconds;

absl::Status Invalid(std::string_view message) {
  return base::MakeStatus(absl::StatusCode::kInvalidArgument, message);
}

void WarnOldName(const FlagRow& row, Draft& draft) {
  if (row.name == "experimental-peer-skip-client-san-verification") return;
  if (row.name == "experimental-warning-unary-request-duration") {
    draft.Log(base::LogLevel::kWarn,
              "--experimental-warning-unary-request-duration is deprecated, and will be "
              "decommissioned in v3.7. Use --warning-unary-request-duration instead.");
    return;
  }
  const bool plain = row.name.find("tracing") != std::string_view::npos;
  const bool bare = plain || row.name.find("compact-hash") != std::string_view::npos;
  draft.Log(
      base::LogLevel::kWarn,
      fmt::format("--{} is deprecated in {}3.6 and will be decommissioned in {}3.7. Use {}--{}"
                  "{} instead.",
                  row.name, bare ? "" : "v", bare ? "" : "v", plain ? "" : "'", row.alias_of,
                  plain ? "" : "'"));
}

absl::Status CheckOldName(const FlagRow& row, Draft& draft) {
  if (!draft.Has(row.name)) return absl::OkStatus();
  if (!row.alias_of.empty()) {
    if (draft.Has(row.alias_of)) {
      if (row.name == "experimental-warning-unary-request-duration") {
        return Invalid(
            "both --experimental-warning-unary-request-duration and "
            "--warning-unary-request-duration flags are set. Use only "
            "--warning-unary-request-duration");
      }
      return Invalid(fmt::format("cannot set --{} and --{} at the same time, please use --{} only",
                                 row.name, row.alias_of, row.alias_of));
    }
    WarnOldName(row, draft);
  }
  if (row.gate != Gate::kCount && draft.config.feature_gates.is_listed(row.gate)) {
    const std::string_view gate = RowOf(row.gate).name;
    const bool on = draft.config.feature_gates.enabled(row.gate);
    return Invalid(
        fmt::format("cannot specify both flags: --{}={} and --feature-gates={}={} at the "
                    "same time, please just use --feature-gates={}={}",
                    row.name, on, gate, on, gate, on));
  }
  return absl::OkStatus();
}

absl::Status CheckRows(Draft& draft) {
  for (const FlagRow& row : FlagRows()) {
    RETURN_IF_ERROR(CheckOldName(row, draft));
    RETURN_IF_ERROR(CheckFlag(row, draft.config));
  }
  const FeatureGates& gates = draft.config.feature_gates;
  if (gates.enabled(Gate::kLeaseCheckpointPersist) && !gates.enabled(Gate::kLeaseCheckpoint)) {
    return Invalid(
        "enabling feature gate LeaseCheckpointPersist requires enabling feature gate "
        "LeaseCheckpoint");
  }
  const nanoseconds hash_check = draft.config.compact_hash_check_time;
  if (hash_check <= nanoseconds(0)) {
    return Invalid(fmt::format("--compact-hash-check-time must be >0 (set to {})",
                               base::FormatGoDuration(hash_check)));
  }
  return absl::OkStatus();
}

absl::Status CheckTicks(Config& config) {
  const std::uint64_t heartbeat = config.heartbeat_interval;
  const std::uint64_t election = config.election_timeout;
  if (heartbeat == 0) return Invalid("--heartbeat-interval must be >0 (set to 0ms)");
  if (election == 0) return Invalid("--election-timeout must be >0 (set to 0ms)");
  if (5 * heartbeat > election) {
    return Invalid(
        fmt::format("--election-timeout[{}ms] should be at least as 5 times as "
                    "--heartbeat-interval[{}ms]",
                    election, heartbeat));
  }
  if (election > 50'000) {
    return Invalid(
        fmt::format("--election-timeout[{}ms] is too long, and should be set less than "
                    "50000ms",
                    election));
  }
  config.election_ticks = static_cast<std::int64_t>(election / heartbeat);
  config.request_timeout =
      std::chrono::seconds(5) + 2 * std::chrono::milliseconds(static_cast<std::int64_t>(election));
  return absl::OkStatus();
}

// A count without a unit is hours (periodic) or revisions; negative ones are refused, since a
// negative period once made the compactor spin (GHSA-pm3m-32r3-7mfh).
absl::Status ReadRetention(Config& config) {
  const std::string& text = config.auto_compaction_retention;
  const bool periodic = config.auto_compaction_mode == "periodic";
  const absl::StatusOr<std::int64_t> count = ParseGoInt(text, 64);
  nanoseconds value{0};
  if (count.ok() && *count >= 0) {
    if (!periodic) {
      config.auto_compaction_revisions = *count;
      return absl::OkStatus();
    }
    if (*count > 100 * 365 * 24) {
      return Invalid(fmt::format("error parsing CompactionRetention: {} hours are too many", text));
    }
    value = std::chrono::hours(*count);
  } else {
    const absl::StatusOr<nanoseconds> duration = ParseGoDuration(text);
    if (!duration.ok()) {
      return Invalid(
          fmt::format("error parsing CompactionRetention: {}", base::MessageOf(duration.status())));
    }
    value = *duration;
  }
  if (value < nanoseconds(0)) {
    return Invalid(
        fmt::format("error parsing CompactionRetention: negative duration \"{}\"", text));
  }
  // etcd takes a duration in revision mode as its count of nanoseconds.
  if (periodic) {
    config.auto_compaction_period = value;
  } else {
    config.auto_compaction_revisions = value.count();
  }
  return absl::OkStatus();
}

absl::Status CheckCompaction(Draft& draft) {
  Config& config = draft.config;
  const std::string& mode = config.auto_compaction_mode;
  if (mode.empty()) return Invalid("undefined auto-compaction-mode");
  if (mode != "periodic" && mode != "revision") {
    return Invalid(fmt::format("unknown auto-compaction-mode \"{}\"", mode));
  }
  return ReadRetention(config);
}

absl::Status ReadRotation(Config& config) {
  const std::vector<std::string>& outputs = config.log_outputs;
  const auto is_file = [](const std::string& output) {
    return output != "default" && output != "stderr" && output != "stdout" &&
           output != "systemd/journal";
  };
  if (outputs.size() != 1 || !is_file(outputs[0])) {
    return Invalid(
        "--log-outputs requires a single file path when --log-rotate-config-json is "
        "defined");
  }
  const nlohmann::json json =
      nlohmann::json::parse(config.log_rotation_config_json, nullptr, false);
  if (!json.is_object()) {
    return Invalid(fmt::format("improperly formatted log rotation config: {}",
                               config.log_rotation_config_json));
  }
  LogRotation rotation;
  for (const auto& [key, value] : json.items()) {
    const bool number = value.is_number_integer() && value >= 0 && value <= (1 << 20);
    if (key == "maxsize" && number) {
      rotation.max_megabytes = value;
    } else if (key == "maxage" && number) {
      rotation.max_days = value;
    } else if (key == "maxbackups" && number) {
      rotation.max_backups = value;
    } else if (key == "localtime" && value.is_boolean()) {
      rotation.local_time = value;
    } else if (key == "compress" && value.is_boolean()) {
      rotation.compress = value;
    } else {
      return Invalid(fmt::format("invalid log rotation config: {}", key));
    }
  }
  if (rotation.max_megabytes == 0) rotation.max_megabytes = LogRotation().max_megabytes;
  config.log_rotation = rotation;
  return absl::OkStatus();
}

absl::Status CheckLogging(Config& config) {
  if (config.logger == "capnslog") return Invalid("--logger=capnslog is removed in v3.5");
  if (config.logger != "zap") {
    return Invalid(fmt::format("unknown logger option \"{}\"", config.logger));
  }
  if (config.log_format != "json" && config.log_format != "console") {
    return Invalid(
        fmt::format("unknown log format: {}, supported values json, console", config.log_format));
  }
  const std::vector<std::string>& outputs = config.log_outputs;
  if (outputs.size() > 1 && std::ranges::find(outputs, "default") != outputs.end()) {
    return Invalid("multi logoutput for \"default\" is not supported yet");
  }
  return config.enable_log_rotation ? ReadRotation(config) : absl::OkStatus();
}

template <typename T>
void DefaultIfZero(T& value, T fallback) {
  if (value == T{}) value = fallback;
}

void ResolveZeros(Draft& draft) {
  Config& config = draft.config;
  DefaultIfZero(config.snapshot_count, Config().snapshot_count);
  DefaultIfZero(config.snapshot_catchup_entries, Config().snapshot_catchup_entries);
  DefaultIfZero(config.compaction_batch_limit, std::int64_t{1000});
  DefaultIfZero(config.compaction_sleep_interval, nanoseconds(std::chrono::milliseconds(10)));
  DefaultIfZero(config.warning_apply_duration, Config().warning_apply_duration);
  DefaultIfZero(config.warning_unary_request_duration, Config().warning_unary_request_duration);
  nanoseconds& progress = config.watch_progress_notify_interval;
  DefaultIfZero(progress, nanoseconds(std::chrono::minutes(10)));
  const nanoseconds least = std::chrono::milliseconds(100);
  if (progress < least) {
    draft.Log(base::LogLevel::kWarn, "watch progress notify interval is too short; raised",
              {{"given", progress}, {"used", least}});
    progress = least;
  }
}

// A wildcard listener cannot be advertised: the machine's own address stands in, port kept.
void AdvertiseHost(std::string_view host, const UrlList& listen, UrlList& advertise) {
  if (host.empty() || listen.empty() || listen[0].is_unix()) return;
  const absl::StatusOr<HostPort> address = SplitHostPort(listen[0].host);
  if (!address.ok() || address->host != "0.0.0.0") return;
  advertise = {{listen[0].scheme, fmt::format("{}:{}", host, address->port)}};
}

void FillNames(std::string_view default_host, Draft& draft) {
  Config& config = draft.config;
  if (!draft.Has("initial-advertise-peer-urls")) {
    AdvertiseHost(default_host, config.listen_peer_urls, config.initial_advertise_peer_urls);
  }
  if (!draft.Has("advertise-client-urls") && draft.from_file) {
    AdvertiseHost(default_host, config.listen_client_urls, config.advertise_client_urls);
  }
  if (config.name == Config().name) {
    draft.Log(base::LogLevel::kWarn,
              "--name has its default value; give every member of a cluster a name of its own");
  }
  if (!draft.Has("initial-cluster")) {
    std::vector<std::string> pairs;
    for (const Url& url : config.initial_advertise_peer_urls) {
      pairs.push_back(fmt::format("{}={}", config.name, url.ToString()));
    }
    config.initial_cluster = fmt::format("{}", fmt::join(pairs, ","));
  }
  if (config.data_dir.empty()) {
    config.data_dir = config.name + ".etcd";
    draft.Log(base::LogLevel::kWarn, "'data-dir' was empty; using default",
              {{"data-dir", config.data_dir}});
  }
}

void Warn(Draft& draft) {
  const Config& config = draft.config;
  if (draft.Has("max-snapshots")) {
    draft.Log(base::LogLevel::kWarn,
              "--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8.");
  }
  if (draft.Has("v2-deprecation")) {
    draft.Log(base::LogLevel::kWarn,
              "--v2-deprecation is deprecated and scheduled for removal in v3.8. The default value "
              "is enforced, ignoring user input.");
  }
  if (config.max_request_bytes > 10 * 1024 * 1024) {
    draft.Log(base::LogLevel::kWarn, "exceeded recommended request limit",
              {{"max-request-bytes", config.max_request_bytes},
               {"recommended-request-bytes", 10 * 1024 * 1024}});
  }
  if (config.listen_client_http_urls.empty()) {
    draft.Log(base::LogLevel::kWarn,
              "Running http and grpc server on single port. This is not recommended for "
              "production.");
  }
}

}  // namespace

absl::Status Finish(std::string_view default_host, Draft& draft) {
  RETURN_IF_ERROR(CheckLogging(draft.config));
  RETURN_IF_ERROR(CheckRows(draft));
  FillNames(default_host, draft);
  RETURN_IF_ERROR(CheckUrls(draft));
  RETURN_IF_ERROR(CheckTicks(draft.config));
  RETURN_IF_ERROR(CheckCompaction(draft));
  ResolveZeros(draft);
  ReadCluster(draft.config);
  Warn(draft);
  return absl::OkStatus();
}

}  // namespace etcd::config
