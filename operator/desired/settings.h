#pragma once

#include <string>

namespace etcd::desired {

// Of the operator, for all clusters.
struct Settings {
  std::string server_image{};    // of clusters that name none
  std::string operator_image{};  // of the guard of the data
  std::string cluster_domain{"cluster.local"};
  std::string listen_host{"0.0.0.0"};  // "[::]" where pods have IPv6 addresses
  std::string operator_namespace{};    // where the operator runs; empty: not known, any
  bool has_sleep_action = true;        // the API server knows preStop.sleep
};

}  // namespace etcd::desired
