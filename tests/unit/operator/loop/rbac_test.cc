// What the loop asks of the API server is what deploy/base, which is the chart, lets it do.
#include <set>
#include <sstream>
#include <yaml-cpp/yaml.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "world.h"

namespace etcd::loop {
namespace {

// "verb group/resource", for example "patch etcdpp.dev/etcdclusters/status".
using Permissions = std::set<std::string>;

Permissions Granted() {
  Permissions out;
  for (const YAML::Node& object : YAML::LoadAllFromFile(OPERATOR_YAML)) {
    if (object["kind"].as<std::string>("") != "ClusterRole") continue;
    if (object["metadata"]["name"].as<std::string>() != "etcd-system-etcd-operator") continue;
    for (const YAML::Node& rule : object["rules"]) {
      for (const YAML::Node& group : rule["apiGroups"]) {
        for (const YAML::Node& resource : rule["resources"]) {
          for (const YAML::Node& verb : rule["verbs"]) {
            out.insert(verb.as<std::string>() + " " + group.as<std::string>() + "/" +
                       resource.as<std::string>());
          }
        }
      }
    }
  }
  return out;
}

// Of "PATCH /apis/policy/v1/namespaces/n/poddisruptionbudgets/c?force=true".
Permissions NeededFor(const std::string& request) {
  const std::size_t space = request.find(' ');
  const std::string method = request.substr(0, space);
  const std::size_t query = request.find('?');
  const std::string options = query == std::string::npos ? "" : request.substr(query);
  std::istringstream path(request.substr(space + 2, query - space - 2));
  std::vector<std::string> parts;
  for (std::string part; std::getline(path, part, '/');) parts.push_back(part);
  const bool is_core = parts.at(0) == "api";
  const std::string group = is_core ? "" : parts.at(1);
  parts.erase(parts.begin(), parts.begin() + (is_core ? 2 : 3));
  if (parts.at(0) == "namespaces") parts.erase(parts.begin(), parts.begin() + 2);
  std::string resource = group + "/" + parts.at(0);
  const bool is_named = parts.size() > 1;
  const bool is_part = parts.size() > 2;
  if (is_part) resource += "/" + parts.at(2);
  if (method == "POST") return {"create " + resource};
  if (method == "DELETE") return {"delete " + resource};
  if (method == "GET" && is_named) return {"get " + resource};
  if (method == "GET") return {"list " + resource};
  if (method == "WATCH") return {"watch " + resource};
  // What server-side apply does not find, it makes.
  const bool is_apply = options.find("force=true") != std::string::npos;
  if (is_apply && !is_part) return {"patch " + resource, "create " + resource};
  return {"patch " + resource};
}

TEST(Rbac, GrantsWhatTheLoopAsksFor) {
  World world(World::Json{{"networkPolicy", {{"enabled", true}}}});
  ASSERT_TRUE(world.Settle());
  world.LosePod(world.Members().at(0));
  ASSERT_TRUE(world.Settle());
  world.Scale(1);
  world.Spec({{"networkPolicy", {{"enabled", false}}}});
  ASSERT_TRUE(world.Settle());
  world.DeleteCluster();
  for (int i = 0; i < 50; ++i) world.Turn();
  const Permissions granted = Granted();
  EXPECT_GT(granted.size(), 30U);
  Permissions needed;
  for (const std::string& request : world.server.requests()) needed.merge(NeededFor(request));
  EXPECT_GT(needed.size(), 20U);
  EXPECT_THAT(needed, ::testing::Each(::testing::AnyOfArray(granted)));
}

}  // namespace
}  // namespace etcd::loop
