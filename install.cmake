# What cmake --install puts where. The supervisor and the runner are found beside the worker.
include(GNUInstallDirs)

install(TARGETS pipekit-broker pipekit-worker pipekit-supervisor pipekit-jrunner pipekit-ctl
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

file(GLOB manual_pages docs/man/*.1)
install(FILES ${manual_pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)

# Examples: a configuration in /etc is the administrator's, and no installation writes over it.
install(FILES config/broker.yaml config/worker.yaml DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)

foreach(unit pipekit-broker.service pipekit-worker@.service)
  configure_file(systemd/${unit}.in systemd/${unit} @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/systemd/${unit} DESTINATION lib/systemd/system)
endforeach()
install(FILES systemd/pipekit.sysusers.conf DESTINATION lib/sysusers.d RENAME pipekit.conf)
