//! The WASI calls whose work grows with a list or a text that they are given: they are paid for by its length.

use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{self, IpAddress, ResolveAddressStream};
use wasmtime_wasi::p2::bindings::sockets::network::{self, ErrorCode, Network};
use wasmtime_wasi::p2::bindings::sync::io::poll;
use wasmtime_wasi::p2::{DynPollable, SocketError};
use wasmtime_wasi::sockets::{WasiSocketsCtxView, WasiSocketsView as _};

use crate::plugin::bill::Bill;
use crate::plugin::host::Host;

/// `wasi:io/poll`.
pub(super) struct Polls<'a> {
    table: &'a mut ResourceTable,
    bill: &'a mut Bill,
}

pub(super) struct HasPolls;

impl HasData for HasPolls {
    type Data<'a> = Polls<'a>;
}

pub(super) fn polls(host: &mut Host) -> Polls<'_> {
    let Host { wasi, bill, .. } = host.called();
    bill.add(bill.prices.stream);
    Polls { table: &mut wasi.table, bill }
}

impl poll::Host for Polls<'_> {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        // The same one may be in it over and over.
        self.bill.charge(self.bill.prices.stream.saturating_mul(pollables.len() as u64))?;
        poll::Host::poll(self.table, pollables)
    }
}

impl poll::HostPollable for Polls<'_> {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        poll::HostPollable::ready(self.table, pollable)
    }

    fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll::HostPollable::block(self.table, pollable)
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll::HostPollable::drop(self.table, pollable)
    }
}

/// `wasi:sockets/ip-name-lookup`, which refuses every name.
pub(super) struct Names<'a>(&'a mut Host);

pub(super) struct HasNames;

impl HasData for HasNames {
    type Data<'a> = Names<'a>;
}

pub(super) fn names(host: &mut Host) -> Names<'_> {
    Names(host.called())
}

impl Names<'_> {
    fn sockets(&mut self) -> WasiSocketsCtxView<'_> {
        self.0.sockets()
    }
}

impl network::Host for Names<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        network::Host::convert_error_code(&mut self.sockets(), error)
    }

    fn network_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        network::Host::network_error_code(&mut self.sockets(), error)
    }
}

impl network::HostNetwork for Names<'_> {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut self.sockets(), network)
    }
}

impl ip_name_lookup::Host for Names<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> Result<Resource<ResolveAddressStream>, SocketError> {
        self.0.bill.charge_bytes(name.len()).map_err(SocketError::trap)?;
        ip_name_lookup::Host::resolve_addresses(&mut self.sockets(), network, name)
    }
}

impl ip_name_lookup::HostResolveAddressStream for Names<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> Result<Option<IpAddress>, SocketError> {
        ip_name_lookup::HostResolveAddressStream::resolve_next_address(&mut self.sockets(), stream)
    }

    fn subscribe(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<Resource<DynPollable>> {
        ip_name_lookup::HostResolveAddressStream::subscribe(&mut self.sockets(), stream)
    }

    fn drop(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<()> {
        ip_name_lookup::HostResolveAddressStream::drop(&mut self.sockets(), stream)
    }
}
