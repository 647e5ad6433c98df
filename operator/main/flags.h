#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace etcd::op {

// The command line; charts/etcd-operator/templates/deployment.yaml is who writes it.
struct Flags {
  std::string operator_image{};
  std::string server_image{};
  std::vector<std::string> watch_namespaces{};  // empty: all
  std::chrono::seconds lease_duration{15};
  std::chrono::milliseconds lease_renew_deadline{10'000};
  std::chrono::milliseconds lease_retry_period{2'000};
  std::string lease_name{"etcd-operator"};
  std::string lease_namespace{};  // empty: where we run
  int workers = 10;
  std::string log_level{"info"};
  std::string log_format{"json"};
  std::string cluster_domain{};  // empty: from /etc/resolv.conf
  std::string health_address{":8081"};
  std::string metrics_address{":8080"};  // empty: none
  std::string kubeconfig{};
  bool shows_help = false;
};

// Invalid argument with a sentence about the first word that is wrong.
absl::StatusOr<Flags> ParseFlags(const std::vector<std::string>& words);
std::string FlagsHelp();

// The domain of the search entry that begins with "svc."; "cluster.local" when there is none.
std::string ClusterDomainOf(const std::string& resolv_conf);

}  // namespace etcd::op
