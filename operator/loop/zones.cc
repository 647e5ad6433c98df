#include "operator/loop/zones.h"

#include <chrono>

#include "operator/kube/api_error.h"

namespace etcd::loop {
namespace {

constexpr std::chrono::minutes kKnownFor{10};
constexpr std::string_view kZoneLabel = "topology.kubernetes.io/zone";

}  // namespace

std::string Zones::Of(const std::string& node) {
  const auto now = context_.clock.Now();
  {
    const std::lock_guard lock(mu_);
    std::erase_if(nodes_, [&](const auto& item) { return now - item.second.at > kKnownFor; });
    const auto found = nodes_.find(node);
    if (found != nodes_.end()) return found->second.zone;
  }
  const absl::StatusOr<kube::Object> object = context_.client.Get(kube::kNodes, {{}, node});
  const std::string zone(object.ok() ? object->label(kZoneLabel) : std::string_view());
  const std::lock_guard lock(mu_);
  nodes_[node] = {zone, now};
  return zone;
}

void Zones::Fill(Facts& facts) {
  for (const auto& [member, pod] : facts.pods) {
    const std::string node = ReadPod(pod).node;
    if (node.empty()) continue;
    std::string zone = Of(node);
    if (zone.empty()) continue;
    facts.observed.pods[member].zone = zone;
    facts.zones[member] = std::move(zone);
  }
}

}  // namespace etcd::loop
