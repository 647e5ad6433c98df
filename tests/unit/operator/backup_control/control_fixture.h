#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "operator/backup_control/backup_metrics.h"
#include "operator/desired/kinds.h"
#include "operator/kube/controller.h"
#include "tests/unit/operator/kube/kube_fixture.h"

namespace etcd::backup_control {

using nlohmann::json;

// An API server in memory at 2026-01-01 00:00 UTC, which is also when all its objects were made,
// with the cluster `main` of one member.
struct ControlFixture : kube::KubeFixture {
  struct NoCaches final : kube::Caches {
    const kube::Store* StoreOf(const kube::Resource&, const std::string&) const override {
      return nullptr;
    }
  };

  ControlFixture() {
    clock.Set(base::Clock::Monotonic(Start().time_since_epoch()));
    Put(desired::kClusters, "main", {{"spec", json::object()}});
    Put(desired::kMembers, "main-0-abcde",
        {{"metadata", {{"labels", {{"etcdpp.dev/cluster", "main"}}}}},
         {"spec",
          {{"clusterName", "main"}, {"slot", 0}, {"seq", 1}, {"storage", {{"size", "1Gi"}}}}}});
    Put(kube::kVolumeClaims, "backups", {});
    Put(kube::kSecrets, "s3", {});
  }

  static kube::WallTime Start() { return kube::ParseTime("2026-01-01T00:00:00Z").value(); }
  void Advance(std::chrono::nanoseconds by) { clock.Set(clock.Now() + by); }

  static std::string Target(const kube::Resource& resource, const std::string& name) {
    return kube::PathOf(resource, {"n", name});
  }
  json Put(const kube::Resource& resource, const std::string& name, json object) {
    if (object.is_null()) object = json::object();
    object["apiVersion"] = kube::ApiVersionOf(resource);
    object["kind"] = resource.kind;
    object["metadata"]["name"] = name;
    object["metadata"]["namespace"] = "n";
    const json put = server.Put(Target(resource, name), object);
    if (object.contains("status")) server.Put(Target(resource, name) + "/status", object);
    return put;
  }
  json Read(const kube::Resource& resource, const std::string& name) {
    return server.Read(Target(resource, name));
  }
  std::vector<kube::Object> All(const kube::Resource& resource) {
    return client.List(resource, {.ns = "n"}).value().items;
  }
  // A list of one object.
  static json ListOf(std::initializer_list<std::pair<const char*, json>> fields) {
    json object = json::object();
    for (const auto& [name, value] : fields) object[name] = value;
    return json::array({object});
  }
  // Changes an object as somebody else would.
  void Change(const kube::Resource& resource, const std::string& name, const json& patch) {
    json object = Read(resource, name);
    object.merge_patch(patch);
    server.Put(Target(resource, name), object);
    if (patch.contains("status")) server.Put(Target(resource, name) + "/status", object);
  }
  static std::string ConditionOf(const json& object, const std::string& type) {
    for (const json& condition : object["status"].value("conditions", json::array())) {
      if (condition["type"] == type) {
        return condition["status"].get<std::string>() + " " +
               condition["reason"].get<std::string>();
      }
    }
    return "none";
  }
  // Whether this was told, sooner or later: the recorder has a thread of its own.
  bool WasTold(const std::string& reason) {
    events.Start();
    const bool was_told = kube::Eventually([&] {
      for (const kube::Object& event : All(kube::kEvents)) {
        if (kube::TextAt(event.json(), {"reason"}) == reason) return true;
      }
      return false;
    });
    events.Stop();
    return was_told;
  }
  kube::ControllerContext Context() {
    return {.client = client,
            .clock = clock,
            .events = events,
            .caches = caches,
            .may_act = [this](std::chrono::nanoseconds) { return leads; }};
  }

  NoCaches caches;
  bool leads = true;
  BackupMetrics metrics;
  // Events are named after their time: two of the same virtual instant would be one.
  base::SystemClock real_clock;
  kube::EventRecorder events{
      client, real_clock, {.controller = "etcdpp.dev/operator", .instance = "o"}};
};

}  // namespace etcd::backup_control
