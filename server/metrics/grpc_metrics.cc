#include "server/metrics/grpc_metrics.h"

#include <string>

namespace etcd::metrics {
namespace {

constexpr std::array<std::string_view, GrpcMethodMetrics::kCodes> kCodeNames = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};

Labels LabelsOf(std::string_view path, std::string_view type) {
  const std::size_t slash = path.rfind('/');
  return {{"grpc_method", std::string(path.substr(slash + 1))},
          {"grpc_service", std::string(path.substr(1, slash - 1))},
          {"grpc_type", std::string(type)}};
}

}  // namespace

GrpcMethodMetrics::GrpcMethodMetrics(Registry& registry, std::string_view path,
                                     std::string_view type, bool extensive)
    : started_(registry.AddCounter("grpc_server_started_total",
                                   "Total number of RPCs started on the server.",
                                   LabelsOf(path, type))),
      received_(registry.AddCounter("grpc_server_msg_received_total",
                                    "Total number of RPC messages received on the server.",
                                    LabelsOf(path, type))),
      sent_(registry.AddCounter("grpc_server_msg_sent_total",
                                "Total number of RPC messages sent by the server.",
                                LabelsOf(path, type))) {
  const Labels labels = LabelsOf(path, type);
  for (std::size_t code = 0; code < kCodes; ++code) {
    Labels with_code = {{"grpc_code", std::string(kCodeNames[code])}};
    with_code.insert(with_code.end(), labels.begin(), labels.end());
    handled_[code] = &registry.AddCounter(
        "grpc_server_handled_total", "Total number of RPCs completed on the server.", with_code);
  }
  if (extensive) {
    handling_ = &registry.AddHistogram("grpc_server_handling_seconds",
                                       "Time from the start of an RPC to its end.",
                                       {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}, labels);
  }
}

}  // namespace etcd::metrics
