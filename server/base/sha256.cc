#include "server/base/sha256.h"

#include <openssl/evp.h>

#include "server/base/check.h"

namespace etcd::base {

struct Sha256::State {
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  CHECK(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1) << "SHA-256";
}

Sha256::~Sha256() = default;

void Sha256::Add(std::string_view bytes) {
  CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1) << "SHA-256";
}

std::string Sha256::Finish() {
  std::string digest(kSha256Bytes, '\0');
  auto* const out = reinterpret_cast<unsigned char*>(digest.data());
  CHECK(EVP_DigestFinal_ex(state_->context, out, nullptr) == 1) << "SHA-256";
  return digest;
}

}  // namespace etcd::base
