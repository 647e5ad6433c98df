#include "operator/main/flags.h"

#include <functional>
#include <sstream>

#include <fmt/format.h>

#include "operator/desired/pod.h"
#include "server/base/status.h"

namespace etcd::op {
namespace {

absl::Status Wrong(std::string_view flag, std::string_view value, std::string_view wanted) {
  return absl::InvalidArgumentError(
      base::ToAbsl(fmt::format("--{}={}: write {}", flag, value, wanted)));
}

struct Flag {
  std::string_view name, help;
  std::function<absl::Status(Flags& flags, const std::string& value)> set;
};

Flag Text(std::string_view name, std::string Flags::*field, std::string_view help) {
  return {name, help, [field](Flags& flags, const std::string& value) {
            flags.*field = value;
            return absl::OkStatus();
          }};
}

template <class Duration>
Flag Time(std::string_view name, Duration Flags::*field, std::string_view help) {
  return {name, help, [name, field](Flags& flags, const std::string& value) {
            const std::chrono::milliseconds given(desired::DurationMs(value));
            flags.*field = std::chrono::duration_cast<Duration>(given);
            return (flags.*field).count() > 0 ? absl::OkStatus()
                                              : Wrong(name, value, "a duration such as 15s");
          }};
}

Flag Choice(std::string_view name, std::string Flags::*field, std::vector<std::string> values,
            std::string_view help) {
  return {name, help,
          [name, field, values = std::move(values)](Flags& flags, const std::string& value) {
            std::string all;
            for (const std::string& one : values) {
              all += (all.empty() ? "" : ", ") + one;
              if (one == value) {
                flags.*field = value;
                return absl::OkStatus();
              }
            }
            return Wrong(name, value, "one of " + all);
          }};
}

absl::Status SetWorkers(Flags& flags, const std::string& value) {
  const bool is_number = !value.empty() && value.size() <= 3 &&
                         value.find_first_not_of("0123456789") == std::string::npos;
  flags.workers = is_number ? std::stoi(value) : 0;
  return flags.workers > 0 ? absl::OkStatus() : Wrong("workers", value, "a number from 1 to 999");
}

absl::Status SetNamespaces(Flags& flags, const std::string& value) {
  std::istringstream stream(value);
  for (std::string one; std::getline(stream, one, ',');) {
    if (!one.empty()) flags.watch_namespaces.push_back(one);
  }
  return absl::OkStatus();
}

const std::vector<Flag>& AllFlags() {
  static const std::vector<Flag> flags = {
      Text("operator-image", &Flags::operator_image, "image of the data guard and the workers"),
      Text("server-image", &Flags::server_image, "image of members whose EtcdCluster names none"),
      {"watch-namespaces", "namespaces to work in, commas between; none: all", SetNamespaces},
      Time("lease-duration", &Flags::lease_duration, "silence after which others take over"),
      Time("lease-renew-deadline", &Flags::lease_renew_deadline, "when a leader gives up"),
      Time("lease-retry-period", &Flags::lease_retry_period, "between two tries"),
      Text("lease-name", &Flags::lease_name, "name of the Lease"),
      Text("lease-namespace", &Flags::lease_namespace, "its namespace; default: where we run"),
      {"workers", "objects that are worked on at the same time", SetWorkers},
      Choice("log-level", &Flags::log_level, {"debug", "info", "warn", "error"}, "what is logged"),
      Choice("log-format", &Flags::log_format, {"json", "console"}, "how"),
      Text("cluster-domain", &Flags::cluster_domain, "DNS domain; default: from resolv.conf"),
      Text("health-address", &Flags::health_address, "where /healthz and /readyz are served"),
      Text("metrics-address", &Flags::metrics_address, "where /metrics is served; empty: nowhere"),
      Text("kubeconfig", &Flags::kubeconfig, "file; default: the pod's own account")};
  return flags;
}

absl::Status CheckTogether(const Flags& flags) {
  if (flags.server_image.empty()) {
    return absl::InvalidArgumentError("--server-image is needed: the image of the members");
  }
  if (flags.operator_image.empty()) {
    // Without it members would start without the guard of their data.
    return absl::InvalidArgumentError("--operator-image is needed: the image of the data guard");
  }
  if (flags.lease_renew_deadline >= flags.lease_duration) {
    return absl::InvalidArgumentError("--lease-renew-deadline must be below --lease-duration");
  }
  if (flags.lease_retry_period >= flags.lease_renew_deadline) {
    return absl::InvalidArgumentError("--lease-retry-period must be below --lease-renew-deadline");
  }
  return absl::OkStatus();
}

absl::Status SetOne(Flags& flags, const std::string& name, const std::string& value) {
  for (const Flag& flag : AllFlags()) {
    if (flag.name == name) return flag.set(flags, value);
  }
  return absl::InvalidArgumentError(
      base::ToAbsl(fmt::format("unknown flag --{}; see --help", name)));
}

}  // namespace

absl::StatusOr<Flags> ParseFlags(const std::vector<std::string>& words) {
  Flags flags;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string word = words[i];
    if (word == "--help" || word == "-h") {
      flags.shows_help = true;
      return flags;
    }
    if (!word.starts_with("--")) {
      return absl::InvalidArgumentError(base::ToAbsl(fmt::format("unexpected word {}", word)));
    }
    word.erase(0, 2);
    const std::size_t equals = word.find('=');
    std::string value;
    if (equals != std::string::npos) {
      value = word.substr(equals + 1);
      word.resize(equals);
    } else if (i + 1 < words.size()) {
      value = words[++i];
    } else {
      return absl::InvalidArgumentError(base::ToAbsl(fmt::format("--{} needs a value", word)));
    }
    RETURN_IF_ERROR(SetOne(flags, word, value));
  }
  RETURN_IF_ERROR(CheckTogether(flags));
  return flags;
}

std::string FlagsHelp() {
  std::string text = "etcd-operator: runs etcd clusters on Kubernetes\n\n";
  for (const Flag& flag : AllFlags()) text += fmt::format("  --{:<22} {}\n", flag.name, flag.help);
  return text;
}

std::string ClusterDomainOf(const std::string& resolv_conf) {
  std::istringstream lines(resolv_conf);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word != "search") continue;
    while (words >> word) {
      if (word.starts_with("svc.")) return word.substr(4);
    }
  }
  return "cluster.local";
}

}  // namespace etcd::op
