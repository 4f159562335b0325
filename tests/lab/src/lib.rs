//! A simulated Azure in network namespaces.
