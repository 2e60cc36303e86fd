//! How the stat cache lies in its file: [Borsh](https://borsh.io), field by field. Written out
//! because a derive would make every compilation wait for its macro.

use std::io::{Read, Result, Write};

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    cache::{Entry, Known, Stat},
    git::Forced,
};

/// Stores a struct as its fields in this order.
macro_rules! stored {
    ($name:ident { $($field:ident),+ }) => {
        impl BorshSerialize for $name {
            fn serialize<W: Write>(&self, to: &mut W) -> Result<()> {
                $(self.$field.serialize(to)?;)+
                Ok(())
            }
        }

        impl BorshDeserialize for $name {
            fn deserialize_reader<R: Read>(from: &mut R) -> Result<Self> {
                // Evaluated as they are written.
                Ok(Self { $($field: BorshDeserialize::deserialize_reader(from)?),+ })
            }
        }
    };
}

stored!(Stat {
    size,
    modified,
    changed,
    inode,
    executable
});
stored!(Entry { name, stat, hash });
stored!(Forced {
    index,
    rules,
    paths
});
stored!(Known { folders, forced });
