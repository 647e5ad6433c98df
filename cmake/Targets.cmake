# etcd_library(name SRCS ... HDRS ... DEPS ... PRIVATE_DEPS ...): one target per folder, named
# etcd_<name>. DEPS are the same downward edges that server/LAYERS allows.
function(etcd_library name)
  cmake_parse_arguments(ARG "" "" "SRCS;HDRS;DEPS;PRIVATE_DEPS" ${ARGN})
  if(ARG_SRCS)
    add_library(etcd_${name} STATIC ${ARG_SRCS})
    set(scope PUBLIC)
    target_compile_options(etcd_${name} PRIVATE ${ETCD_WARNINGS})
    target_link_libraries(etcd_${name} PRIVATE ${ARG_PRIVATE_DEPS})
  else()
    add_library(etcd_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  if(ARG_HDRS)
    target_sources(etcd_${name} ${scope} FILE_SET HEADERS
      BASE_DIRS ${CMAKE_SOURCE_DIR} FILES ${ARG_HDRS})
    set_target_properties(etcd_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  endif()
  target_include_directories(etcd_${name} ${scope} ${CMAKE_SOURCE_DIR})
  target_link_libraries(etcd_${name} ${scope} ${ARG_DEPS})
endfunction()

# etcd_binary(name SRCS ... DEPS ...): an executable in build/<preset>/bin.
function(etcd_binary name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SRCS})
  target_compile_options(${name} PRIVATE ${ETCD_WARNINGS})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
endfunction()

# etcd_test(name SRCS ... DEPS ... LABEL unit): one GoogleTest binary, run by ctest as a whole.
function(etcd_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SRCS;DEPS;ARGS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(ETCD_SANITIZE)
    # Instrumented code is several times slower; tests/BUDGET bounds the sum all the same.
    math(EXPR ARG_TIMEOUT "4 * ${ARG_TIMEOUT}")
  endif()
  etcd_binary(${name} SRCS ${ARG_SRCS} DEPS ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
endfunction()

# etcd_python_test(name SCRIPT x.py ARGS ... LABEL integration TIMEOUT 300): a Python test with
# Debian's interpreter (the one that has python3-etcd3), not whatever is first in PATH. Tests that
# start our server get it as $ETCD_BINARY.
function(etcd_python_test name)
  cmake_parse_arguments(ARG "" "SCRIPT;LABEL;TIMEOUT" "ARGS;ENVIRONMENT" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_test(NAME ${name}
    COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SCRIPT} ${ARG_ARGS})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT}
    SKIP_RETURN_CODE 77 ENVIRONMENT "ETCD_BINARY=${CMAKE_BINARY_DIR}/bin/etcd;${ARG_ENVIRONMENT}")
endfunction()
