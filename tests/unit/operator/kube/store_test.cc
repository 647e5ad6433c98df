#include "operator/kube/store.h"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace etcd::kube {
namespace {

Object Pod(const std::string& name, const std::string& version, const std::string& cluster = "c") {
  return *Object::Make({{"metadata",
                         {{"name", name},
                          {"namespace", "n"},
                          {"resourceVersion", version},
                          {"labels", {{"cluster", cluster}}},
                          {"managedFields", {1, 2, 3}}}}});
}

std::string ClusterOf(const Object& object) { return std::string(object.label("cluster")); }

TEST(Store, ReplaceReportsTheDifferenceOnly) {
  Store store;
  EXPECT_EQ(store.Replace({Pod("a", "1"), Pod("b", "2"), Pod("c", "3")}).size(), 3U);
  const std::vector<Change> changes = store.Replace({Pod("a", "1"), Pod("b", "9"), Pod("d", "4")});
  ASSERT_EQ(changes.size(), 3U);
  EXPECT_EQ(changes[0].type, ChangeType::kUpdated);
  EXPECT_EQ(changes[0].before.resource_version(), "2");
  EXPECT_EQ(changes[0].after.resource_version(), "9");
  EXPECT_EQ(changes[1].type, ChangeType::kAdded);
  EXPECT_EQ(changes[1].after.name(), "d");
  EXPECT_EQ(changes[2].type, ChangeType::kDeleted);
  EXPECT_EQ(changes[2].before.name(), "c");
  EXPECT_EQ(store.size(), 3U);
  EXPECT_FALSE(store.Get({"n", "c"}));
}

TEST(Store, ARepeatedVersionIsNoChange) {
  Store store;
  EXPECT_TRUE(store.Put(Pod("a", "1")).has_value());
  EXPECT_FALSE(store.Put(Pod("a", "1")).has_value());
  EXPECT_FALSE(store.Remove({"n", "none"}).has_value());
}

TEST(Store, GroupsFollowTheObject) {
  Store store(&ClusterOf);
  store.Put(Pod("a", "1", "x"));
  store.Put(Pod("b", "2", "x"));
  EXPECT_EQ(store.Group("x").size(), 2U);
  store.Put(Pod("a", "3", "y"));
  EXPECT_EQ(store.Group("x").size(), 1U);
  ASSERT_EQ(store.Group("y").size(), 1U);
  EXPECT_EQ(store.Group("y")[0].resource_version(), "3");
  store.Remove({"n", "a"});
  EXPECT_TRUE(store.Group("y").empty());
  store.Replace({});
  EXPECT_TRUE(store.Group("x").empty());
}

TEST(Object, DropsManagedFieldsAndDemandsAName) {
  EXPECT_FALSE(Pod("a", "1").json()["metadata"].contains("managedFields"));
  EXPECT_FALSE(Object::Make({{"metadata", {{"name", 5}}}}).ok());
  EXPECT_FALSE(Object::Make(Json::array()).ok());
}

TEST(Object, FindsTheControllerAmongOwners) {
  const Object object = *Object::Make(
      {{"metadata",
        {{"name", "a"},
         {"ownerReferences", {{{"uid", "u1"}}, {{"uid", "u2"}, {"controller", true}}}}}}});
  EXPECT_EQ(object.controller_uid(), "u2");
  EXPECT_EQ(Pod("a", "1").controller_uid(), "");
}

}  // namespace
}  // namespace etcd::kube
