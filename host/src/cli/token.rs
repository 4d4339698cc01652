//! `token`: makes, lists and revokes the tokens that open a host to clients on other machines.

use clap::{Args, Subcommand};

use super::Context;
use super::client::segment;
use super::error::Error;
use crate::server::model::{MadeToken, NewToken, Scope, Token};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a token, and print it this once.
    Create(Create),
    /// List the tokens, without what opens.
    List,
    /// Take a token back: from now on it opens nothing.
    Revoke {
        /// The token's id, which `list` shows.
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Who or what it is for.
    name: String,

    /// What it allows; may be repeated.
    #[arg(long, required = true, value_name = "SCOPE")]
    scope: Vec<ScopeName>,

    /// Allow only streams of this category; may be repeated.
    #[arg(long, value_name = "CATEGORY")]
    category: Vec<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ScopeName {
    /// Append events.
    Append,
    /// Read events and states.
    Read,
    /// Change plugins, projections and tokens.
    Manage,
}

impl Command {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        match self {
            Self::Create(create) => create.run(context),
            Self::List => list(context),
            Self::Revoke { id } => {
                context.connect()?.delete(&format!("/tokens/{}", segment(&id)))?;
                context.output.remark("revoked");
                Ok(())
            }
        }
    }
}

impl Create {
    fn run(self, context: &mut Context) -> Result<(), Error> {
        let scopes = self.scope.iter().map(|scope| match scope {
            ScopeName::Append => Scope::Append,
            ScopeName::Read => Scope::Read,
            ScopeName::Manage => Scope::Manage,
        });
        let new = NewToken { name: self.name, scopes: scopes.collect(), categories: self.category };
        let made: MadeToken = context.connect()?.post("/tokens", &new)?;
        context.output.remark("this is shown only once:");
        context.output.data(&made, |made| made.secret.clone())
    }
}

fn list(context: &mut Context) -> Result<(), Error> {
    let tokens: Vec<Token> = context.connect()?.get("/tokens")?;
    for token in tokens {
        context.output.data(&token, |token| {
            let scopes: Vec<_> = token.scopes.iter().map(|scope| format!("{scope:?}").to_lowercase()).collect();
            let categories = if token.categories.is_empty() { "all".to_owned() } else { token.categories.join(",") };
            format!("{}  {}  {}  {categories}  {}", token.id, token.created_at, scopes.join(","), token.name)
        })?;
    }
    Ok(())
}
