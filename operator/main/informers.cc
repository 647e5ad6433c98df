#include "operator/main/informers.h"

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

#include "operator/desired/kinds.h"
#include "server/base/check.h"

namespace etcd::op {
namespace {

// Twice the longest watch.
constexpr std::chrono::minutes kSilenceMax{20};

std::string NameOf(const kube::Resource& resource) {
  return std::string(resource.group) + "/" + std::string(resource.plural);
}

std::string GroupOf(const kube::Object& object) {
  const std::string_view cluster = object.label(desired::kClusterLabel);
  return cluster.empty() ? std::string() : object.ns() + "/" + std::string(cluster);
}

void KeepOnly(kube::Json& json, std::initializer_list<std::string_view> fields) {
  for (auto field = json.begin(); field != json.end();) {
    const bool is_kept = std::ranges::find(fields, field.key()) != fields.end();
    field = is_kept ? std::next(field) : json.erase(field);
  }
}

void KeepMetadata(kube::Json& json) { KeepOnly(json, {"apiVersion", "kind", "metadata"}); }

// Of the spec, which is the most of it, only where it runs.
void KeepStateOfPod(kube::Json& json) {
  KeepOnly(json, {"apiVersion", "kind", "metadata", "spec", "status"});
  if (json.contains("spec") && json["spec"].is_object()) KeepOnly(json["spec"], {"nodeName"});
}

void KeepStateOfClaim(kube::Json& json) {
  KeepOnly(json, {"apiVersion", "kind", "metadata", "spec", "status"});
  if (json.contains("spec") && json["spec"].is_object())
    KeepOnly(json["spec"], {"storageClassName"});
}

// As JSON in memory an object takes ten times its text. What is read of caches, or compared to tell
// whether something has changed: all of clusters and members, the state of pods and volumes; of the
// rest only that it is there. Whoever wants more asks the API server.
kube::Object::Trim TrimOf(const kube::Resource& resource) {
  const std::string_view kind = resource.plural;
  if (kind == desired::kClusters.plural || kind == desired::kMembers.plural) return nullptr;
  if (kind == kube::kPods.plural) return KeepStateOfPod;
  if (kind == kube::kVolumeClaims.plural) return KeepStateOfClaim;
  return KeepMetadata;
}

}  // namespace

Informers::Informers(kube::Client& client, const base::Clock& clock,
                     std::vector<std::string> namespaces, kube::InformerObserver* observer)
    : client_(client), clock_(clock), namespaces_(std::move(namespaces)), observer_(observer) {
  if (namespaces_.empty()) namespaces_.emplace_back();
}

void Informers::Watch(const std::vector<kube::Controller::Watched>& watched,
                      kube::WorkQueue& queue) {
  queue_ = &queue;
  for (const kube::Controller::Watched& one : watched) {
    Kind& kind = kinds_[NameOf(one.resource)];
    CHECK(kind.keys_of.empty() || kind.label_selector == one.label_selector)
        << "two selectors for " << one.resource.plural;
    kind.resource = one.resource;
    kind.label_selector = one.label_selector;
    kind.keys_of.push_back(one.keys_of);
  }
}

void Informers::Prepare() {
  std::uint64_t seed = static_cast<std::uint64_t>(clock_.Now().time_since_epoch().count());
  for (auto& [name, kind] : kinds_) {
    const auto on_change = [this, &kind = kind](const kube::Change& change) {
      for (const auto& keys_of : kind.keys_of) {
        for (const kube::WorkKey& key : keys_of(change)) queue_->Add(key);
      }
    };
    for (const std::string& ns : namespaces_) {
      kube::InformerOptions options{.resource = kind.resource,
                                    .ns = ns,
                                    .label_selector = kind.label_selector,
                                    .seed = ++seed,
                                    .group_of = GroupOf,
                                    .observer = observer_,
                                    .trim = TrimOf(kind.resource)};
      kind.informers[ns] =
          std::make_unique<kube::Informer>(client_, clock_, std::move(options), on_change);
    }
  }
}

void Informers::Start() {
  for (auto& [name, kind] : kinds_) {
    for (auto& [ns, informer] : kind.informers) informer->Start();
  }
}

void Informers::Stop() {
  for (auto& [name, kind] : kinds_) {
    for (auto& [ns, informer] : kind.informers) informer->Stop();
  }
}

// A kind, or a namespace, that we may not read does not keep the others waiting.
bool Informers::have_synced() const {
  return std::ranges::all_of(kinds_, [](const auto& kind) {
    return std::ranges::all_of(kind.second.informers, [](const auto& one) {
      return one.second->has_synced() || one.second->is_forbidden();
    });
  });
}

bool Informers::are_alive() const {
  const auto now = clock_.Now();
  return std::ranges::all_of(kinds_, [&](const auto& kind) {
    return std::ranges::all_of(kind.second.informers, [&](const auto& one) {
      return now - one.second->last_alive() < kSilenceMax;
    });
  });
}

const kube::Store* Informers::StoreOf(const kube::Resource& resource, const std::string& ns) const {
  const auto kind = kinds_.find(NameOf(resource));
  if (kind == kinds_.end()) return nullptr;
  auto informer = kind->second.informers.find(ns);
  if (informer == kind->second.informers.end()) informer = kind->second.informers.find("");
  const bool has_it = informer != kind->second.informers.end() && informer->second->has_synced();
  return has_it ? &informer->second->store() : nullptr;
}

}  // namespace etcd::op
